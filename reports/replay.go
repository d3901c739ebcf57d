package reports

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// replaying guards what withT changes for the whole process.
var replaying sync.Mutex

// withT calls f once with a genuine *testing.T, in a test binary as well as in an ordinary program, and drops what
// the testing package prints. Upstream's conformance suite runs only below one. Nothing may write to os.Stdout
// meanwhile: there is no other way to silence a failing T than to put another file there.
func withT(f func(t *testing.T)) error {
	replaying.Lock()
	defer replaying.Unlock()
	if !testing.Testing() {
		startTesting()
	}
	silent, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("silence the replay: %w", err)
	}
	defer func() { _ = silent.Close() }()
	stdout := os.Stdout
	os.Stdout = silent
	defer func() { os.Stdout = stdout }()

	called := false
	testing.RunTests(matchAll, []testing.InternalTest{{Name: "replay", F: func(t *testing.T) {
		// -test.count of the surrounding binary would call it again.
		if !called {
			called = true
			f(t)
		}
	}}})
	if !called {
		return errors.New("the testing package ran nothing: -test.skip, -test.failfast or -test.count=0 is set")
	}
	return nil
}

func matchAll(_, _ string) (bool, error) { return true, nil }

// startTesting brings the testing package of an ordinary program to the point where RunTests runs anything: until
// testing.Main has read the flags, RunTests runs no test and reports success. Main itself ends the process after its
// last test, so it is given one that never ends, and stays behind as two parked goroutines.
var startTesting = sync.OnceFunc(func() {
	testing.Init()
	if !flag.Parsed() {
		// The program parses its own command line elsewhere; Main must not try.
		_ = flag.CommandLine.Parse(nil)
	}
	ready := make(chan struct{})
	go testing.Main(matchAll, []testing.InternalTest{{Name: "park", F: func(*testing.T) {
		close(ready)
		select {}
	}}}, nil, nil)
	<-ready
})
