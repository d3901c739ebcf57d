package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/reports"
)

func TestDiff(t *testing.T) {
	output := t.TempDir()
	cellResults(t, filepath.Join(output, "good"), "1.28.15", reports.StatePassed)
	cellResults(t, filepath.Join(output, "same"), "1.28.15", reports.StatePassed)
	cellResults(t, filepath.Join(output, "bad"), "1.28.15", reports.StateFailed)
	cellResults(t, filepath.Join(output, "other"), "1.25.4", reports.StatePassed)
	noResults(t, filepath.Join(output, "aborted"), "1.28.15", "no cluster")
	for _, c := range []struct {
		before, after string
		code          int
		want          string
	}{
		{"good", "same", 0, ""},
		{"good", "bad", 1, "1 spec differs"},
		{"good", "other", 2, "different cells"},
		{"good", "missing", 2, "there is no run missing"},
		{"aborted", "good", 3, "a run without a verdict cannot be compared: no cluster"},
	} {
		var out bytes.Buffer
		err := diff(&out, output, c.before, c.after)
		if problem.ExitCode(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: exit code %d, %v; want %d, %s", c.before, c.after, problem.ExitCode(err), err, c.code, c.want)
		}
		if c.code == 1 && !strings.Contains(out.String(), "mirroring/copies\n  - passed\n  + failed  no copy came\n") {
			t.Errorf("shown:\n%s", out.String())
		}
	}
}
