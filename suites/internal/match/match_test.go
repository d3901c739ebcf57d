package match

import (
	"strings"
	"testing"

	"github.com/onsi/gomega/types"
)

// verdict is a matcher's judgement of a value, and what its message must say.
type verdict struct {
	matcher types.GomegaMatcher
	actual  any
	want    bool
	says    []string
}

func check(t *testing.T, cases map[string]verdict) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.matcher.Match(c.actual)
			if err != nil {
				t.Fatal(err)
			}
			message := c.matcher.FailureMessage(c.actual)
			if got {
				message = c.matcher.NegatedFailureMessage(c.actual)
			}
			if got != c.want {
				t.Errorf("judged %v: %s", got, message)
			}
			for _, text := range c.says {
				if !strings.Contains(message, text) {
					t.Errorf("%q does not say %q", message, text)
				}
			}
		})
	}
}

// refuses holds for values on which a matcher must give neither verdict.
func refuses(t *testing.T, matcher types.GomegaMatcher, actual any) {
	t.Helper()
	if ok, err := matcher.Match(actual); err == nil || ok {
		t.Errorf("%T judged %v to be %v", matcher, actual, ok)
	}
}

func TestMessages(t *testing.T) {
	matcher := judging("be even", func(n int) (bool, string, error) { return n%2 == 0, "the number", nil })
	check(t, map[string]verdict{
		"yes": {matcher, 2, true, []string{"last seen", "the number", "not to be even"}},
		"no":  {matcher, 3, false, []string{"last seen", "the number", "to be even"}},
	})
	refuses(t, matcher, "two")
	refuses(t, matcher, nil)
}
