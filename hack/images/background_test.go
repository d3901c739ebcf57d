package images

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestBackgroundGivesWay asks nice itself, which prints the niceness it was started with.
func TestBackgroundGivesWay(t *testing.T) {
	niceness := func(polite bool) string {
		ctx := t.Context()
		if polite {
			ctx = Background(ctx)
		}
		var said bytes.Buffer
		if err := run(command(ctx, &said, "sh", "-c", "nice")); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(said.String())
	}
	own, low := niceness(false), niceness(true)
	// A test that runs at low priority itself ends at the kernel's limit of 19.
	if own == low && own != "19" {
		t.Errorf("a build beside a suite has the niceness %s, one in front has %s", low, own)
	}
}

func TestACompilersComplaintNamesItsCommandInTheBackgroundToo(t *testing.T) {
	for name, background := range map[string]bool{"in front": false, "in the background": true} {
		ctx := t.Context()
		if background {
			ctx = Background(ctx)
		}
		err := runGo(command(ctx, io.Discard, "go", "vet", "./nowhere"))
		if err == nil || !strings.HasPrefix(err.Error(), "go vet: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
