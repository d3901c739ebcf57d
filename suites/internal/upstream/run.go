// Package upstream runs a test that wants a genuine *testing.T inside a Ginkgo spec.
package upstream

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
)

// Outcome is how a test ended.
type Outcome struct {
	// Ran is false where the testing package never called the test.
	Ran     bool
	Failed  bool
	Skipped bool
}

// running guards os.Stdout, which the testing package writes to and no option redirects.
var running sync.Mutex

// Run calls test as the root of a testing tree of its own, so that its failure is its alone, and
// copies what the testing package prints to output, line by line. The binary must run with -test.v.
func Run(name string, output io.Writer, test func(*testing.T)) (outcome Outcome, err error) {
	running.Lock()
	defer running.Unlock()
	reader, writer, err := os.Pipe()
	if err != nil {
		return outcome, fmt.Errorf("redirect the output of %s: %w", name, err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		lines := bufio.NewReader(reader)
		for {
			line, err := lines.ReadString('\n')
			_, _ = io.WriteString(output, line)
			if err != nil {
				return
			}
		}
	}()
	stdout := os.Stdout
	os.Stdout = writer
	defer func() {
		os.Stdout = stdout
		_ = writer.Close()
		<-copied
		_ = reader.Close()
	}()

	passed := testing.RunTests(
		func(_, _ string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: name, F: func(t *testing.T) {
			outcome.Ran = true
			// Cleanups run last in, first out: this one sees what all others did.
			t.Cleanup(func() { outcome.Failed, outcome.Skipped = t.Failed(), t.Skipped() })
			test(t)
		}}},
	)
	outcome.Failed = outcome.Failed || !passed
	return outcome, nil
}
