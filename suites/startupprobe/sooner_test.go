package startupprobe

import (
	"testing"
	"time"
)

func TestAccount(t *testing.T) {
	pair := func(startup, before time.Duration) took {
		return took{startup * time.Second, before * time.Second}
	}
	got := account([]took{pair(9, 8), pair(1, 3), pair(2, 5)})
	want := "median 2.0 s with the startup probe, 5.0 s with the probes before, of the differences 2.0 s (pairs in s: 9.0/8.0, 1.0/3.0, 2.0/5.0)"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFirstWord(t *testing.T) {
	got, err := firstWord("2026-11-23T23:40:58.532657258Z 2026-11-23T23:40:58.5Z\tinfo")
	if want := time.Date(2026, 11, 23, 23, 40, 58, 532657258, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for _, log := range []string{"", "yesterday at noon", "2026-11-23T23:40:58"} {
		if _, err := firstWord(log); err == nil {
			t.Errorf("%q: no error", log)
		}
	}
}
