package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// Change is a spec that two runs of one cell do not agree on.
type Change struct {
	ID string
	// Before and After have no state where the run has no such spec.
	Before, After SpecOutcome
}

// Undecided reports whether one of the runs did not decide the spec, so that the two cannot be compared on it.
func (c Change) Undecided() bool {
	return c.Before.State == StateUndecided || c.After.State == StateUndecided
}

// order puts what the later run repaired first.
func (c Change) order() int {
	if c.After.Repaired == RepairedHere {
		return 0
	}
	return 1
}

// Diff compares two runs of the same cell: first what the later run repaired, then in the order of the specs' ids. A spec that one of them did not decide is
// listed, even where both did not: see Change.Undecided.
func Diff(before, after *Results) ([]Change, error) {
	if before.Cell != after.Cell {
		return nil, problem.Usage(fmt.Sprintf("the runs are of different cells: %s on Kubernetes %s with %s, %s on Kubernetes %s with %s",
			before.Cell.subject(), before.Cell.Kubernetes, before.Cell.proxy(), after.Cell.subject(), after.Cell.Kubernetes, after.Cell.proxy()),
			"", "compare two runs of one cell, or merge cells")
	}
	changes := map[string]*Change{}
	for _, spec := range before.Specs {
		changes[spec.ID] = &Change{ID: spec.ID, Before: outcomeOfSpec(spec)}
	}
	for _, spec := range after.Specs {
		if changes[spec.ID] == nil {
			changes[spec.ID] = &Change{ID: spec.ID}
		}
		changes[spec.ID].After = outcomeOfSpec(spec)
	}
	var differing []Change
	for _, change := range changes {
		if change.Before.State != change.After.State || change.Undecided() {
			differing = append(differing, *change)
		}
	}
	slices.SortFunc(differing, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), strings.Compare(a.ID, b.ID))
	})
	return differing, nil
}

// WriteDiff shows what Diff found.
func WriteDiff(w io.Writer, changes []Change) error {
	var text strings.Builder
	if len(changes) == 0 {
		text.WriteString("Every spec came out alike.\n")
	}
	for _, change := range changes {
		fmt.Fprintf(&text, "%s\n", change.ID)
		for _, side := range []struct {
			sign    string
			outcome SpecOutcome
		}{{"-", change.Before}, {"+", change.After}} {
			line := "no such spec"
			if side.outcome.State != "" {
				line = strings.TrimSpace(side.outcome.State.words() + "  " + side.outcome.Message)
			}
			fmt.Fprintf(&text, "  %s %s\n", side.sign, line)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// outcomeOfSpec is a spec as matrices and comparisons show it.
func outcomeOfSpec(spec Spec) SpecOutcome {
	return SpecOutcome{State: spec.State, Seconds: spec.Seconds, Message: headline(spec), Link: web(spec.Link),
		List: spec.List, Repaired: spec.Repaired()}
}
