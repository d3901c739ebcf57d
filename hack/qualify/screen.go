package main

import (
	"io"
	"strings"
	"sync"
)

// screen is where lines go that belong to no spec: above the bar of a run while there is one.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	shown *display
}

// use has lines written to a display from now on; none means straight to the output.
func (s *screen) use(d *display) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = d
}

// Write takes whole lines.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == nil {
		return s.out.Write(text)
	}
	for line := range strings.Lines(string(text)) {
		s.shown.line(strings.TrimRight(line, "\n"))
	}
	return len(text), nil
}
