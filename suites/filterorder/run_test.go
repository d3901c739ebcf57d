package filterorder

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	want := []string{"a", "b", "c"}
	cases := map[string]struct {
		seen []string
		// message is how the failure begins, "" for none.
		message string
	}{
		"the same":     {[]string{"a", "b", "c"}, ""},
		"another":      {[]string{"a", "x", "c"}, "Expected b as filter 2, there is x\nseen: a → x → c\nwanted: a → b → c"},
		"swapped":      {[]string{"b", "a", "c"}, "Expected a as filter 1, there is b\n"},
		"one missing":  {[]string{"a", "b"}, "Expected c as filter 3, there are only 2\n"},
		"one too many": {[]string{"a", "b", "c", "d"}, "Expected 3 filters, there is d after them\n"},
		"none":         {nil, "Expected a as filter 1, there are only 0\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			matcher := run(want)
			ok, err := matcher.Match(c.seen)
			if err != nil || ok != (c.message == "") {
				t.Fatalf("verdict %v, %v", ok, err)
			}
			if !ok && !strings.HasPrefix(matcher.FailureMessage(c.seen), c.message) {
				t.Errorf("message %q, want %q", matcher.FailureMessage(c.seen), c.message)
			}
		})
	}
	if ok, err := run(want).Match("a"); ok || err == nil {
		t.Errorf("a word gave %v, %v", ok, err)
	}
}

func TestHold(t *testing.T) {
	want := []string{"a", "b", "b"}
	cases := map[string]struct {
		seen []string
		// message is how the failure begins, "" for none.
		message string
	}{
		"the same":         {[]string{"a", "b", "b"}, ""},
		"in another order": {[]string{"b", "a", "b"}, ""},
		"one missing":      {[]string{"b", "a"}, `Expected other filters, missing: ["b"], too many: []`},
		"one too many":     {[]string{"b", "b", "b", "a"}, `Expected other filters, missing: [], too many: ["b"]`},
		"another":          {[]string{"b", "b", "x"}, "Expected other filters, missing: [\"a\"], too many: [\"x\"]\nseen: b → b → x"},
		"none":             {nil, `Expected other filters, missing: ["a" "b" "b"], too many: []`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			matcher := hold(want)
			ok, err := matcher.Match(c.seen)
			if err != nil || ok != (c.message == "") {
				t.Fatalf("verdict %v, %v", ok, err)
			}
			if !ok && !strings.HasPrefix(matcher.FailureMessage(c.seen), c.message) {
				t.Errorf("message %q, want %q", matcher.FailureMessage(c.seen), c.message)
			}
		})
	}
	if ok, err := hold(want).Match("a"); ok || err == nil {
		t.Errorf("a word gave %v, %v", ok, err)
	}
}
