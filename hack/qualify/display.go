package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mesh-conformance/kindconfig"
)

// newDisplay gives a function that shows one finished spec as one line.
func newDisplay(out io.Writer) func(kindconfig.Event) {
	count := 0
	return func(e kindconfig.Event) {
		count++
		_, _ = fmt.Fprintln(out, eventLine(count, e))
	}
}

// eventLine is the line of one finished spec.
func eventLine(count int, e kindconfig.Event) string {
	line := fmt.Sprintf("%4d  %-12s %6.1fs  %s: %s", count, e.State, e.Seconds, e.Row, e.Name)
	if e.Message != "" && e.State != "passed" {
		line += "\n" + strings.Repeat(" ", 26) + e.Message
	}
	return line
}

// followPause is how often the events file is looked at.
const followPause = 100 * time.Millisecond

// followEvents shows the events as the suite appends them; the returned function shows the rest and stops.
func followEvents(path string, show func(kindconfig.Event)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		file, err := os.Open(filepath.Clean(path))
		if err != nil {
			return
		}
		defer func() { _ = file.Close() }()
		reader := bufio.NewReader(file)
		partial := ""
		for last := false; ; {
			line, err := reader.ReadString('\n')
			partial += line
			if err == nil {
				var event kindconfig.Event
				if json.Unmarshal([]byte(partial), &event) == nil {
					show(event)
				}
				partial = ""
				continue
			}
			if last || !errors.Is(err, io.EOF) {
				return
			}
			select {
			case <-quit:
				last = true
			case <-time.After(followPause):
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
