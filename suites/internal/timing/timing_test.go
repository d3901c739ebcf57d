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
