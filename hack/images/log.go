package images

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"

	"mesh-conformance/hack/problem"
)

// tailLength is how much of a build's output is kept to explain its failure.
const tailLength = 32 << 10

// buildLog keeps what a build says in its file and the end of it in memory. A log that cannot be written
// is no reason for a build to fail: the disk may be full, and then the build has to be the one to say so.
type buildLog struct {
	mu   sync.Mutex
	file io.Writer
	tail []byte
}

// Write never fails.
func (l *buildLog) Write(said []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.file.Write(said)
	l.tail = append(l.tail, said...)
	if extra := len(l.tail) - tailLength; extra > 0 {
		l.tail = append(l.tail[:0], l.tail[extra:]...)
	}
	return len(said), nil
}

// String is the end of what was said.
func (l *buildLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

// explain turns the error of a build into what the user is told. A full disk comes first: children
// report it in their own words, and fail for other reasons after it.
func explain(err error, name, logPath, said string) error {
	if isDiskFull(err) || strings.Contains(strings.ToLower(said), "no space left on device") {
		return problem.Environment("the disk is full", fmt.Sprintf("while making %s, log: %s", name, logPath),
			"free some space and run again: what is built is kept", nil)
	}
	return fmt.Errorf("build %s (log: %s): %w", name, logPath, err)
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
