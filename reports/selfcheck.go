package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"mesh-conformance/hack/problem"
)

// SelfCheck is the outcome of the negative control: a run on a release that is older than promises of the suite.
// Exactly the specs of those promises have to fail.
type SelfCheck struct {
	// Release is the release that ran, for example 1.19.0.
	Release string `json:"release"`
	// Rows are the specs of promises that came after the release, and all other specs with a finding. They are in the
	// order of the results' specs.
	Rows []SelfCheckRow `json:"rows"`
	// Others counts the specs that have no row: they passed, as they had to, or the lists set them aside.
	Others int `json:"others"`
}

// SelfCheckRow is one spec of the negative control.
type SelfCheckRow struct {
	ID string `json:"id"`
	// Since is the release that the promise came with; empty for a promise that every supported release makes.
	Since   string           `json:"since,omitempty"`
	State   State            `json:"state"`
	Verdict SelfCheckVerdict `json:"verdict"`
	// Message is the first line of the failure, or why the spec has no outcome.
	Message string `json:"message,omitempty"`
}

// SelfCheckVerdict says whether a spec came out as the negative control expects.
type SelfCheckVerdict string

// The verdicts. CheckAsExpected and CheckAside are no findings.
const (
	CheckAsExpected SelfCheckVerdict = "as expected"
	// CheckAside is an exemption, or a known defect of the release that ran.
	CheckAside SelfCheckVerdict = "set aside by a list"
	// CheckPasses is a spec that passes although the release does not make its promise: it shows nothing.
	CheckPasses SelfCheckVerdict = "passes and should not"
	// CheckFails is a spec that fails although the release makes its promise.
	CheckFails SelfCheckVerdict = "fails and should not"
	// CheckSharedMessage is a spec that fails as it should, with a message that another spec has, too, or with none: the
	// message does not name the missing promise.
	CheckSharedMessage SelfCheckVerdict = "fails without a message of its own"
	// CheckOpen is a spec that did not run or is undecided.
	CheckOpen SelfCheckVerdict = "has no outcome"
)

// Finding reports whether the verdict says that the suite is wrong, or cannot tell.
func (v SelfCheckVerdict) Finding() bool { return v != CheckAsExpected && v != CheckAside }

// JudgeSelfCheck judges a run on a release by the release that each spec's promise came with (Spec.Since). A run whose
// specs are all of promises that the release makes shows nothing: an error of usage, as is a malformed release.
func JudgeSelfCheck(r *Results, release string) (*SelfCheck, error) {
	ran, err := semver.NewVersion(release)
	if err != nil {
		return nil, problem.Usage(fmt.Sprintf("the negative control is Istio %q, which is no release", release), "", "name one")
	}
	messages := map[string]int{}
	for _, spec := range r.Specs {
		if spec.State == StateFailed {
			messages[headline(spec)]++
		}
	}
	check, missed := &SelfCheck{Release: release}, false
	for _, spec := range r.Specs {
		missing := false
		if spec.Since != "" {
			came, err := semver.NewVersion(spec.Since)
			if err != nil {
				return nil, problem.Usage(fmt.Sprintf("the promise of %s came with %q, which is no release", spec.ID, spec.Since), "results.json",
					"judge a run of this version of the program")
			}
			missing = ran.LessThan(came)
		}
		missed = missed || missing
		row := SelfCheckRow{ID: spec.ID, Since: spec.Since, State: spec.State, Message: headline(spec)}
		row.Verdict = judgeSpec(spec, missing, messages[row.Message])
		if !missing && !row.Verdict.Finding() {
			check.Others++
			continue
		}
		check.Rows = append(check.Rows, row)
	}
	if !missed {
		return nil, problem.Usage("Istio "+release+" makes every promise of the run's specs", "", "judge a run of an older release")
	}
	return check, nil
}

// judgeSpec gives the verdict on a spec. missing says that the release does not make its promise, alike how many specs
// failed with its message.
func judgeSpec(spec Spec, missing bool, alike int) SelfCheckVerdict {
	switch spec.State {
	case StateExempt, StateKnownDefect:
		return CheckAside
	case StateNotRun, StateUndecided:
		return CheckOpen
	case StatePassed:
		if missing {
			return CheckPasses
		}
		return CheckAsExpected
	case StateFailed:
		switch {
		case !missing:
			return CheckFails
		case strings.TrimSpace(spec.Failure) == "" || alike > 1:
			return CheckSharedMessage
		}
		return CheckAsExpected
	}
	// A flake failed, and passed.
	if missing {
		return CheckPasses
	}
	return CheckFails
}

// Of counts the rows with a verdict.
func (c *SelfCheck) Of(verdict SelfCheckVerdict) int {
	count := 0
	for _, row := range c.Rows {
		if row.Verdict == verdict {
			count++
		}
	}
	return count
}

// Findings are the rows with a finding, by verdict and then by id.
func (c *SelfCheck) Findings() []SelfCheckRow {
	order := []SelfCheckVerdict{CheckPasses, CheckFails, CheckSharedMessage, CheckOpen}
	found := slices.DeleteFunc(slices.Clone(c.Rows), func(row SelfCheckRow) bool { return !row.Verdict.Finding() })
	slices.SortStableFunc(found, func(a, b SelfCheckRow) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict)), strings.Compare(a.ID, b.ID))
	})
	return found
}

// Expected are the rows without a finding.
func (c *SelfCheck) Expected() []SelfCheckRow {
	return slices.DeleteFunc(slices.Clone(c.Rows), func(row SelfCheckRow) bool { return row.Verdict.Finding() })
}

// Verdict is nil if every spec came out as expected and some spec failed as it should. Otherwise it has the exit code of
// failed specs, or of an undecided run where specs without an outcome are all that is found.
func (c *SelfCheck) Verdict() error {
	var found []string
	for _, verdict := range []SelfCheckVerdict{CheckPasses, CheckFails, CheckSharedMessage} {
		if n := c.Of(verdict); n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	open := c.Of(CheckOpen)
	switch {
	case len(found) > 0:
		return problem.FailedSpecs("the suite does not tell Istio " + c.Release + " apart as it should: specs by finding: " +
			strings.Join(found, ", "))
	case open > 0:
		return problem.Undecided(plural(open, "spec")+" of the negative control came to no outcome", "run again")
	case c.Of(CheckAsExpected) == 0:
		return problem.FailedSpecs("no spec of the negative control failed as it should, so that it shows nothing")
	}
	return nil
}

// sentence sums up the check.
func (c *SelfCheck) sentence() string {
	said := fmt.Sprintf("On Istio %s, %s of later promises failed as expected", c.Release, plural(c.Of(CheckAsExpected), "spec"))
	if n := len(c.Findings()); n > 0 {
		said += "; " + plural(n, "finding")
	}
	return fmt.Sprintf("%s. %s came out as on every supported release.", said, plural(c.Others, "other spec"))
}

// markdownSelfCheck is the table of the negative control.
func markdownSelfCheck(b *strings.Builder, c *SelfCheck) {
	if c == nil {
		return
	}
	fmt.Fprintf(b, "## Negative control\n\n%s\n\n", text(c.sentence()))
	for _, part := range []struct {
		title string
		rows  []SelfCheckRow
	}{{"Findings", c.Findings()}, {"As expected", c.Expected()}} {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintf(b, "### %s\n\n| spec | since | state | verdict | message |\n| --- | --- | --- | --- | --- |\n", part.title)
		for _, row := range part.rows {
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", code(row.ID), text(row.Since), row.State.words(), row.Verdict,
				text(oneLine(row.Message, markdownWhy)))
		}
		b.WriteString("\n")
	}
}
