package timing

import (
	"testing"
	"time"
)

func TestQuietSince(t *testing.T) {
	if left := QuietSince(time.Now()); left <= 0 || left > Quiet {
		t.Errorf("%s are left of a change that has just landed", left)
	}
	if left := QuietSince(time.Now().Add(-2 * Quiet)); left != 0 {
		t.Errorf("%s are left of a change that landed long ago", left)
	}
}

func TestStretch(t *testing.T) {
	t.Cleanup(func() { Stretch(1) })
	for by, want := range map[float64]time.Duration{0.2: 90 * time.Second, 1: 90 * time.Second, 2.5: 225 * time.Second, 1000: 900 * time.Second} {
		Stretch(by)
		if got := Push(); got != want {
			t.Errorf("on a machine %g times slower, Push is %s instead of %s", by, got, want)
		}
	}
}
