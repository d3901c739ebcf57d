package deadline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestMissed(t *testing.T) {
	const what = "deployment a/b did not become available"
	broken := errors.New("pod b-1: ErrImagePull")
	for name, c := range map[string]struct {
		after time.Duration
		seen  string
		cause error
		want  string
		late  bool
	}{
		"out of time":             {2 * time.Minute, "0 available", context.DeadlineExceeded, what + " within 2m0s; last seen: 0 available", true},
		"out of time, wrapped":    {time.Minute, "", fmt.Errorf("get: %w", context.DeadlineExceeded), what + " within 1m0s", true},
		"cancelled":               {3 * time.Second, "0 available", context.Canceled, what + ": the wait was cancelled after 3s; last seen: 0 available", false},
		"cannot succeed any more": {time.Second, "0 available", broken, what + ": pod b-1: ErrImagePull; last seen: 0 available", false},
	} {
		err := Missed(what, time.Now().Add(-c.after), c.seen, c.cause)
		if err.Error() != c.want {
			t.Errorf("%s: got %q, want %q", name, err, c.want)
		}
		if !errors.Is(err, c.cause) || OutOfTime(err) != c.late {
			t.Errorf("%s: the cause of %q is lost", name, err)
		}
	}
}
