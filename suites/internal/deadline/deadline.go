// Package deadline words the errors of waits that ended without their condition: what did not happen, within which
// time, and what was seen last.
package deadline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Missed returns the error of a wait that began at a moment and ended without its condition. what is a clause with
// "did not", for example "deployment a/b did not become available". seen is the state that the wait saw last; ""
// where it saw none. cause is why the wait ended. For a deadline the error reads, for example, "istiod did not
// become ready within 2m0s; last seen: 0 of 1 pods".
func Missed(what string, began time.Time, seen string, cause error) error {
	return &missed{what: what, after: time.Since(began), seen: seen, cause: cause}
}

type missed struct {
	what  string
	after time.Duration
	seen  string
	cause error
}

// Error implements error.
func (m *missed) Error() string {
	after := m.after.Round(time.Second)
	if after == 0 {
		after = m.after.Round(time.Millisecond)
	}
	text := m.what
	switch {
	case OutOfTime(m.cause):
		text += fmt.Sprintf(" within %s", after)
	case errors.Is(m.cause, context.Canceled):
		text += fmt.Sprintf(": the wait was cancelled after %s", after)
	case m.cause != nil:
		text += fmt.Sprintf(": %v", m.cause)
	}
	if m.seen != "" {
		text += "; last seen: " + m.seen
	}
	return text
}

// Unwrap returns the cause.
func (m *missed) Unwrap() error { return m.cause }

// OutOfTime reports whether a wait ended because its time ran out, and not because it was cancelled or cannot succeed.
func OutOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || wait.Interrupted(err) && !errors.Is(err, context.Canceled)
}
