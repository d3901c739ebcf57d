package reports

import (
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestJudgeSpec(t *testing.T) {
	for name, c := range map[string]struct {
		spec    Spec
		missing bool
		alike   int
		want    SelfCheckVerdict
	}{
		"fails as it should":               {Spec{State: StateFailed, Failure: "no targetRef"}, true, 1, CheckAsExpected},
		"passes as it should":              {Spec{State: StatePassed}, false, 0, CheckAsExpected},
		"passes a promise of later":        {Spec{State: StatePassed}, true, 0, CheckPasses},
		"fails a promise of before":        {Spec{State: StateFailed, Failure: "refused"}, false, 1, CheckFails},
		"fails with another's message":     {Spec{State: StateFailed, Failure: "not ready"}, true, 2, CheckSharedMessage},
		"fails without a message":          {Spec{State: StateFailed}, true, 1, CheckSharedMessage},
		"flaky of a promise of later":      {Spec{State: StateFlaky}, true, 0, CheckPasses},
		"flaky of a promise of before":     {Spec{State: StateFlaky}, false, 0, CheckFails},
		"is exempt":                        {Spec{State: StateExempt}, true, 0, CheckAside},
		"is a known defect of the release": {Spec{State: StateKnownDefect}, false, 0, CheckAside},
		"did not run":                      {Spec{State: StateNotRun}, true, 0, CheckOpen},
		"is undecided":                     {Spec{State: StateUndecided}, false, 0, CheckOpen},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judgeSpec(c.spec, c.missing, c.alike); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// controlRun is one of a release before the rows mirroring and targetref/telemetry.
func controlRun() *Results {
	r := emptyRun()
	r.Problems, r.Cell.Istio = nil, "1.19.0"
	r.Specs = []Spec{
		{ID: "mirroring.shares", Row: "mirroring", Name: "shares", State: StateFailed, Attempts: 1, Since: "1.20",
			Failure: "two mirrors are not accepted"},
		{ID: "mirroring.one", Row: "mirroring", Name: "one mirror", State: StatePassed, Attempts: 1},
		{ID: "targetref.telemetry.logs", Row: "targetref/telemetry", Name: "logs", State: StateFailed, Attempts: 1, Since: "1.20",
			Failure: "targetRef is no field"},
		{ID: "invariants.restarts", Row: "invariants", Name: "restarts", State: StatePassed, Attempts: 1},
	}
	r.Tally()
	return r
}

func TestJudgeSelfCheck(t *testing.T) {
	check, err := JudgeSelfCheck(controlRun(), "1.19.0")
	if err != nil {
		t.Fatal(err)
	}
	if len(check.Rows) != 2 || check.Others != 2 || check.Of(CheckAsExpected) != 2 || check.Verdict() != nil {
		t.Errorf("the check is %+v, its verdict %v", check, check.Verdict())
	}
	if row := check.Rows[0]; row.ID != "targetref.telemetry.logs" || row.Since != "1.20" || row.Message != "targetRef is no field" {
		t.Errorf("row %+v", row)
	}

	r := controlRun()
	r.Specs[slices.IndexFunc(r.Specs, func(spec Spec) bool { return spec.ID == "mirroring.one" })].Since = "1.20"
	if check, err = JudgeSelfCheck(r, "1.19.0"); err != nil {
		t.Fatal(err)
	}
	found := check.Findings()
	if len(found) != 1 || found[0].ID != "mirroring.one" || found[0].Verdict != CheckPasses {
		t.Errorf("findings %+v", found)
	}
	if problem.ExitCode(check.Verdict()) != problem.ExitFailedSpecs {
		t.Errorf("verdict %v", check.Verdict())
	}

	r.SelfCheck = check
	if err := Verdict(r); problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Errorf("the run's verdict is %v", err)
	}
	if page := string(Markdown(r)); !strings.Contains(page, "| `mirroring.one` | 1.20 | passed | passes and should not |") {
		t.Errorf("the report has no finding:\n%s", page)
	}
	page, err := HTML(r)
	if err != nil || !strings.Contains(string(page), "passes and should not") {
		t.Errorf("the page has no finding: %v", err)
	}
}

func TestVerdictOfTheSelfCheck(t *testing.T) {
	rows := func(verdicts ...SelfCheckVerdict) *SelfCheck {
		check := &SelfCheck{Release: "1.19.0"}
		for _, verdict := range verdicts {
			check.Rows = append(check.Rows, SelfCheckRow{Verdict: verdict})
		}
		return check
	}
	for name, c := range map[string]struct {
		check     *SelfCheck
		code      int
		undecided bool
	}{
		"as expected":              {rows(CheckAsExpected, CheckAside), 0, false},
		"nothing failed":           {rows(CheckAside), problem.ExitFailedSpecs, false},
		"a finding beside an open": {rows(CheckAsExpected, CheckOpen, CheckFails), problem.ExitFailedSpecs, false},
		"a shared message":         {rows(CheckAsExpected, CheckSharedMessage), problem.ExitFailedSpecs, false},
		"an open one":              {rows(CheckAsExpected, CheckOpen), problem.ExitEnvironment, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.check.Verdict()
			if problem.ExitCode(err) != c.code || problem.IsUndecided(err) != c.undecided {
				t.Errorf("verdict %v", err)
			}
		})
	}
}

func TestJudgeSelfCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct{ release, since, want string }{
		"a release that is none":       {"older", "1.20", "no release"},
		"a since that is none":         {"1.19.0", "soon", "no release"},
		"a release with every promise": {"1.20.1", "1.20", "makes every promise"},
	} {
		t.Run(name, func(t *testing.T) {
			r := controlRun()
			for i := range r.Specs {
				if r.Specs[i].Since != "" {
					r.Specs[i].Since = c.since
				}
			}
			_, err := JudgeSelfCheck(r, c.release)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}
