package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"mesh-conformance/kindconfig"
)

// followPause is how often a followed file is looked at.
const followPause = 100 * time.Millisecond

// follow shows each complete line that is appended to a file, which need not exist yet. The returned
// function shows the rest and stops.
func follow(path string, show func(line string)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var file *os.File
		var lines *bufio.Reader
		defer func() {
			if file != nil {
				_ = file.Close()
			}
		}()
		partial := ""
		for last := false; ; {
			if file == nil {
				if opened, err := os.Open(filepath.Clean(path)); err == nil {
					file, lines = opened, bufio.NewReader(opened)
				}
			}
			if file != nil {
				rest, err := readLines(lines, partial, show)
				partial = rest
				if !errors.Is(err, io.EOF) {
					return
				}
			}
			if last {
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

// readLines shows the lines that are complete and gives back the beginning of the next.
func readLines(from *bufio.Reader, partial string, show func(string)) (string, error) {
	for {
		line, err := from.ReadString('\n')
		partial += line
		if err != nil {
			return partial, err
		}
		show(partial[:len(partial)-1])
		partial = ""
	}
}

// eventsTo decodes the lines of the events file.
func eventsTo(show func(kindconfig.Event)) func(string) {
	return func(line string) {
		var event kindconfig.Event
		if json.Unmarshal([]byte(line), &event) == nil {
			show(event)
		}
	}
}

// stepLine is how the suite's provisioning writes a step into its log, among what its tools say.
var stepLine = regexp.MustCompile(`^ *([0-9]+\.[0-9]+)s (\S.*)$`)

// stepsTo picks the steps out of the provisioning log.
func stepsTo(show func(string)) func(string) {
	return func(line string) {
		if stepLine.MatchString(line) {
			show(line)
		}
	}
}
