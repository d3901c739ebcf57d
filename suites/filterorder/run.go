package filterorder

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega/types"
)

// run holds for the names of filters that are exactly these, in this order. Lists are long: the message
// begins with the first difference.
func run(want []string) types.GomegaMatcher { return &runs{want: want} }

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
	return fmt.Sprintf("Expected %s\nseen: %s\nwanted: %s", r.difference(), strings.Join(r.seen, " → "), strings.Join(r.want, " → "))
}

// NegatedFailureMessage implements gomega's matcher.
func (r *runs) NegatedFailureMessage(any) string {
	return "Expected another list than " + strings.Join(r.seen, " → ")
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
