package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Change is a spec that two runs do not agree on.
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

// Diff compares two runs on the same minor version of Kubernetes, of one build or of two: first what the later run
// repaired, then in the order of the specs' ids. A spec that one of them did not decide is listed, even where both did
// not: see Change.Undecided.
func Diff(before, after *Results) ([]Change, error) {
	if kindconfig.Minor(before.Cell.Kubernetes) != kindconfig.Minor(after.Cell.Kubernetes) {
		return nil, problem.Usage(fmt.Sprintf("the runs are on different minor versions of Kubernetes: %s on %s, %s on %s",
			before.Cell.subject(), before.Cell.Kubernetes, after.Cell.subject(), after.Cell.Kubernetes),
			"", "compare two runs on one minor version, or merge cells")
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

// ran names what a run tested, with digests, one fact a line.
func ran(r *Results) []string {
	name, digests := r.Cell.subject(), []string{}
	if s := r.Subject; s != nil {
		name = s.Name + ", version " + placedAt(s)
		for _, part := range s.Parts {
			if part.Digest != "" {
				digests = append(digests, part.Name+" "+part.Digest)
			}
		}
	} else {
		for _, image := range r.Images {
			if image.Role == RoleSubject {
				digests = append(digests, image.Name+" "+image.Digest)
			}
		}
	}
	lines := []string{fmt.Sprintf("%s, on Kubernetes %s with %s", name, r.Cell.Kubernetes, r.Cell.proxy())}
	lines = append(lines, digests...)
	for _, fact := range r.Installation.facts() {
		lines = append(lines, fact.Name+" "+fact.Value)
	}
	return lines
}

// WriteDiff shows what Diff found in two runs, below what each run tested.
func WriteDiff(w io.Writer, before, after *Results, changes []Change) error {
	var text strings.Builder
	for _, side := range []struct {
		sign string
		run  *Results
	}{{"-", before}, {"+", after}} {
		for i, line := range ran(side.run) {
			sign := " "
			if i == 0 {
				sign = side.sign
			}
			fmt.Fprintf(&text, "%s %s\n", sign, oneLine(line, 0))
		}
	}
	text.WriteString("\n")
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
