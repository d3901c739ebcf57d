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
	cellResults(t, filepath.Join(output, "open"), "1.28.15", reports.StateUndecided)
	cellResults(t, filepath.Join(output, "other"), "1.25.4", reports.StatePassed)
	noResults(t, filepath.Join(output, "aborted"), "1.28.15", "no cluster")
	for _, c := range []struct {
		before, after string
		code          int
		want          string
	}{
		{"good", "same", 0, ""},
		{"good", "bad", 1, "1 spec differs"},
		{"good", "open", 3, "1 spec is undecided in one of the runs and cannot be compared"},
		{"open", "open", 3, "1 spec is undecided in one of the runs"},
		{"good", "other", 2, "different minor versions of Kubernetes"},
		{"good", "missing", 2, "there is no run missing"},
		{"aborted", "good", 3, "a run without a verdict cannot be compared: no cluster"},
	} {
		var out bytes.Buffer
		err := diff(&out, output, c.before, c.after)
		if problem.ExitCode(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: exit code %d, %v; want %d, %s", c.before, c.after, problem.ExitCode(err), err, c.code, c.want)
		}
		if c.code == 1 && !strings.Contains(out.String(), "mirroring.copies\n  - passed\n  + failed  no copy came\n") {
			t.Errorf("shown:\n%s", out.String())
		}
	}
}

func TestDisagreement(t *testing.T) {
	for _, c := range []struct {
		differing, undecided, code int
		want                       string
	}{
		{0, 0, 0, ""},
		{2, 0, problem.ExitFailedSpecs, "2 specs differ"},
		{1, 2, problem.ExitFailedSpecs, "1 spec differs, 2 specs are undecided in one of the runs"},
		{0, 2, problem.ExitEnvironment,
			"2 specs are undecided in one of the runs and cannot be compared; compare runs that decided them"},
	} {
		err := disagreement(c.differing, c.undecided)
		if problem.ExitCode(err) != c.code || err != nil && err.Error() != c.want {
			t.Errorf("%d differ, %d are undecided: %v; want %s", c.differing, c.undecided, err, c.want)
		}
	}
}
