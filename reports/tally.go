package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// RowState judges a row by the states of its specs. The worst one that ran decides. A row of which a part did
// not run is not-run, never passed: what was not tried keeps the promise open. Exemptions beside a pass leave
// it passed, since the row was shown as far as this proxy can; a row of exemptions alone is exempt. An undecided spec
// keeps the row open, whatever else did not fail.
func RowState(specs []State) State {
	has := map[State]bool{}
	for _, state := range specs {
		if !slices.Contains(states, state) {
			// Nothing unknown may look green.
			state = StateFailed
		}
		has[state] = true
	}
	for _, state := range []State{StateFailed, StateFlaky, StateUndecided, StateKnownDefect, StateNotRun, StatePassed,
		StateExempt} {
		if has[state] {
			return state
		}
	}
	return StateNotRun
}

// Tally derives what follows from the specs: the states of the rows, the totals, and the order of
// the specs, which is that of their rows and then of their ids.
func (r *Results) Tally() {
	position := map[string]int{}
	for i, row := range r.Rows {
		position[row.ID] = i
	}
	slices.SortStableFunc(r.Specs, func(a, b Spec) int {
		return cmp.Or(cmp.Compare(position[a.Row], position[b.Row]), strings.Compare(a.ID, b.ID))
	})
	byRow := map[string][]State{}
	for _, spec := range r.Specs {
		byRow[spec.Row] = append(byRow[spec.Row], spec.State)
	}
	for i := range r.Rows {
		r.Rows[i].State = RowState(byRow[r.Rows[i].ID])
	}
	slices.SortStableFunc(r.Images, func(a, b Image) int {
		return cmp.Or(cmp.Compare(roleOrder(a.Role), roleOrder(b.Role)), strings.Compare(a.Name, b.Name))
	})
	r.Totals = totalsOf(r.Specs)
}

func totalsOf(specs []Spec) Totals {
	totals := Totals{Total: len(specs)}
	for _, spec := range specs {
		if spec.Repaired() == RepairedHere {
			totals.Repaired++
		}
		switch spec.State {
		case StatePassed:
			totals.Passed++
		case StateFlaky:
			totals.Flaky++
		case StateUndecided:
			totals.Undecided++
		case StateKnownDefect:
			totals.KnownDefect++
		case StateExempt:
			totals.Exempt++
		case StateNotRun:
			totals.NotRun++
		default:
			totals.Failed++
		}
	}
	return totals
}

// Verdict is nil where the run may be signed, and otherwise the reason why not. It has the exit code of failed specs
// where a spec failed or was flaky, where the lists are at fault, where no spec ran, and where a spec of a run
// without a filter did not run. Known defects and exemptions alone do not fail a run. Where none of this holds and
// specs are undecided, it is problem.Undecided.
func Verdict(r *Results) error { return VerdictAllowing(r, false) }

// VerdictAllowing is Verdict; with allowUndecided, undecided specs are no reason against the run as long as some spec
// was decided.
func VerdictAllowing(r *Results, allowUndecided bool) error {
	if r.SelfCheck != nil {
		return r.SelfCheck.Verdict()
	}
	totals := totalsOf(r.Specs)
	faults := faultsOf(r)
	switch {
	case len(faults) > 0:
		return problem.FailedSpecs(strings.Join(append(faults, besides(totals)...), ", "))
	case totals.Undecided > 0 && (!allowUndecided || totals.Decided() == 0):
		return problem.Undecided(undecidedLine(r), remedy(r))
	}
	return nil
}

// besides tells of the undecided specs of a run that failed.
func besides(totals Totals) []string {
	if totals.Undecided == 0 {
		return nil
	}
	return []string{areUndecided(totals.Undecided) + " besides"}
}

func faultsOf(r *Results) []string {
	totals := totalsOf(r.Specs)
	var faults []string
	if totals.Failed > 0 {
		faults = append(faults, plural(totals.Failed, "spec")+" failed")
	}
	if totals.Flaky > 0 {
		faults = append(faults, plural(totals.Flaky, "spec")+" passed only when tried again")
	}
	faults = append(faults, gapsOf(r)...)
	if len(r.Problems) > 0 {
		faults = append(faults, plural(len(r.Problems), "problem")+" of the run itself")
	}
	return faults
}

// gapsOf says what an outcome is missing for, where it ought to be there.
func gapsOf(r *Results) []string {
	totals := totalsOf(r.Specs)
	switch {
	case totals.Ran() == 0:
		return []string{"no spec ran"}
	case totals.NotRun > 0 && r.Run.Filter == "":
		return []string{plural(totals.NotRun, "spec") + " did not run"}
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func roleOrder(role Role) int {
	return slices.Index([]Role{RoleSubject, RoleRelease, RoleKubernetes, RoleInstrument}, role)
}
