package filterorder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/session"
)

// then stands between the names of filters in messages and reports.
const then = " → "

// promised leaves out of a list what the build under test has no more: since 1.21 istiod configures no istio_authn
// (pilot/pkg/networking/plugin/authn).
func promised(filters []string) []string {
	job := session.Job()
	if job == nil {
		return filters
	}
	if later, err := job.Cell.Subject.Within(">=1.21-0"); err != nil || !later {
		return filters
	}
	return slices.DeleteFunc(slices.Clone(filters), func(filter string) bool { return filter == "istio_authn" })
}

// run holds for the names of filters that are exactly these, in this order. Lists are long: the message
// begins with the first difference.
func run(want []string) types.GomegaMatcher { return &runs{want: promised(want)} }

type runs struct{ want, seen []string }

// Match implements gomega's matcher.
func (r *runs) Match(actual any) (bool, error) {
	seen, ok := actual.([]string)
	if !ok {
		return false, fmt.Errorf("to run filters is for their names, not for a %T", actual)
	}
	r.seen = seen
	return r.difference() == "", nil
}

// FailureMessage implements gomega's matcher.
func (r *runs) FailureMessage(any) string {
	return fmt.Sprintf("Expected %s\nseen: %s\nwanted: %s", r.difference(), strings.Join(r.seen, then), strings.Join(r.want, then))
}

// NegatedFailureMessage implements gomega's matcher.
func (r *runs) NegatedFailureMessage(any) string {
	return "Expected another list than " + strings.Join(r.seen, then)
}

// difference is the first one, "" where there is none.
func (r *runs) difference() string {
	for i := range max(len(r.want), len(r.seen)) {
		switch {
		case i >= len(r.want):
			return fmt.Sprintf("%d filters, there is %s after them", i, r.seen[i])
		case i >= len(r.seen):
			return fmt.Sprintf("%s as filter %d, there are only %d", r.want[i], i+1, i)
		case r.want[i] != r.seen[i]:
			return fmt.Sprintf("%s as filter %d, there is %s", r.want[i], i+1, r.seen[i])
		}
	}
	return ""
}

// hold holds for the names of filters that are exactly these, in whatever order. The message begins with those
// that are missing or too many.
func hold(want []string) types.GomegaMatcher { return &holds{want: promised(want)} }

type holds struct{ want, seen []string }

// Match implements gomega's matcher.
func (h *holds) Match(actual any) (bool, error) {
	seen, ok := actual.([]string)
	if !ok {
		return false, fmt.Errorf("to hold filters is for their names, not for a %T", actual)
	}
	h.seen = seen
	return len(without(h.want, seen)) == 0 && len(without(seen, h.want)) == 0, nil
}

// FailureMessage implements gomega's matcher.
func (h *holds) FailureMessage(any) string {
	return fmt.Sprintf("Expected other filters, missing: %q, too many: %q\nseen: %s", without(h.want, h.seen), without(h.seen, h.want), strings.Join(h.seen, then))
}

// NegatedFailureMessage implements gomega's matcher.
func (h *holds) NegatedFailureMessage(any) string {
	return "Expected other filters than " + strings.Join(h.seen, ", ")
}

// without is what of a list is left when each of some names is taken from it once.
func without(list, names []string) []string {
	rest := slices.Clone(list)
	for _, name := range names {
		if at := slices.Index(rest, name); at >= 0 {
			rest = slices.Delete(rest, at, at+1)
		}
	}
	return rest
}
