package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	l := &lines{out: &out, now: func() time.Time { return now }}
	l.Plan(Estimate{Artifacts: 3, Unrecorded: 3, Time: 90 * time.Second})
	first := l.Start("pilot", Usual{Time: 12 * time.Minute, Recorded: true})
	second := l.Start("node", Usual{Time: 45 * time.Second})
	third := l.Start("etcd", Usual{})
	now = now.Add(61 * time.Second)
	first(nil)
	second(errors.New("exit status 1:\n\tno such package"))
	third(fmt.Errorf("etcd: %w", context.Canceled))
	l.Note("a note")
	l.Plan(Estimate{})
	want := `03:04:05 3 artifacts to build, about 90 s on a quiet two-core machine
03:04:05 building pilot, 12m last time
03:04:05 building node, about 45s on a quiet two-core machine
03:04:05 building etcd, about 1s on a quiet two-core machine
03:05:06 built    pilot in 1m1s (1 of 3)
03:05:06 failed   node after 1m1s: exit status 1: no such package
03:05:06 stopped  etcd after 1m1s
03:05:06 a note
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestProgressBars(t *testing.T) {
	var out bytes.Buffer
	progress, end := NewProgress(&out, true)
	progress.Plan(Estimate{Artifacts: 2, Unrecorded: 2, Time: 10 * time.Minute})
	done, failed := progress.Start("pilot", Usual{Time: time.Minute}), progress.Start("node", Usual{})
	done(nil)
	failed(errors.New("broken"))
	progress.Note("a note")
	end()
	for _, want := range []string{
		"2 artifacts to build, about 10 min on a quiet", "failed   node after 0s: broken", "a note",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}

	progress, end = NewProgress(&out, true)
	progress.Plan(Estimate{})
	end()
}
