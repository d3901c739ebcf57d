package upstream

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	cases := map[string]struct {
		test func(*testing.T)
		want Outcome
		says string
	}{
		"passes":              {func(t *testing.T) { t.Log("all is well") }, Outcome{Ran: true}, ""},
		"fails":               {func(t *testing.T) { t.Fatal("wanted 200, got 404") }, Outcome{Ran: true, Failed: true}, "wanted 200, got 404"},
		"fails in a subtest":  {func(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Error("inner") }) }, Outcome{Ran: true, Failed: true}, "inner"},
		"fails in a parallel": {func(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Parallel(); t.Error("late") }) }, Outcome{Ran: true, Failed: true}, "late"},
		"fails in a cleanup":  {func(t *testing.T) { t.Cleanup(func() { t.Error("cleanup") }) }, Outcome{Ran: true, Failed: true}, "cleanup"},
		"skips":               {func(t *testing.T) { t.Skip("not supported") }, Outcome{Ran: true, Skipped: true}, "not supported"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			outcome, err := Run("upstream", &output, c.test)
			if err != nil {
				t.Fatal(err)
			}
			if outcome != c.want {
				t.Errorf("outcome %+v, want %+v", outcome, c.want)
			}
			if c.says != "" && !outcome.Skipped && !strings.Contains(output.String(), c.says) {
				t.Errorf("output %q does not say %q", output.String(), c.says)
			}
		})
	}
}
