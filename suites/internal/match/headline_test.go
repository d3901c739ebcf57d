package match

import (
	"errors"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

func TestHeadline(t *testing.T) {
	cases := map[string]struct{ message, want string }{
		"one line": {"it broke", "it broke"},
		"a wait": {
			"Timed out after 30.001s.\nExpected to have condition A=True (B), last seen:\n    Gateway ns/web: no conditions",
			"Expected to have condition A=True (B), last seen: Gateway ns/web: no conditions (timed out after 30.001s)",
		},
		"an absence": {
			"Failed after 0.203s.\nistiod deployed it\nExpected\n    <[]string | len:1, cap:1>: [\"Deployment x\"]\nto be empty",
			`istiod deployed it Expected ["Deployment x"] to be empty (failed after 0.203s)`,
		},
		"an error": {
			"Unexpected error:\n    <*errors.errorString | 0xc000>: \n    no such pod\n    {\n        s: \"no such pod\",\n    }\noccurred",
			"no such pod",
		},
		"an error waited through": {
			"Timed out after 30.000s.\nThe function passed to Eventually returned the following error:\n    <*errors.StatusError | 0xc000>: \n    services \"web\" not found\n    {\n        ErrStatus: {\n        },\n    }",
			`services "web" not found (timed out after 30.000s)`,
		},
		"a map": {
			"Expected\n    <map[string]string | len:1>: {\"a\": \"b\"}\nto have {key: value}\n    <map[interface {}]interface {} | len:1>: {\n        <string>\"c\": <string>\"d\",\n    }",
			`Expected {"a": "b"} to have {key: value} { "c": "d", }`,
		},
		"an error in the course of something": {
			"Timed out after 30.000s.\nistiod makes no Service\nThe function passed to Eventually returned the following error:\n    <*errors.StatusError | 0xc000>: \n    services \"web\" not found\n    {\n    }",
			`istiod makes no Service: services "web" not found (timed out after 30.000s)`,
		},
		"nothing": {"", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Headline(c.message); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestHeadlineIsShort(t *testing.T) {
	got := Headline("Timed out after 30.000s.\n" + strings.Repeat("ä ", 1000))
	if n := len([]rune(got)); n != headlineRunes || !strings.HasSuffix(got, "… (timed out after 30.000s)") {
		t.Errorf("%d runes: %q", n, got)
	}
}

// Gomega's own words may change with its version; what matters is that they are still understood.
func TestHeadlineOfGomegasOwnWords(t *testing.T) {
	for name, c := range map[string]struct {
		assert func(gomega.Gomega)
		want   []string
		not    []string
	}{
		"an error": {
			func(g gomega.Gomega) {
				g.Expect(errors.New("no such pod")).NotTo(gomega.HaveOccurred(), "waiting for it")
			},
			[]string{"waiting for it", "no such pod"}, []string{"errorString", "{"},
		},
		"a timeout": {
			func(g gomega.Gomega) {
				g.Eventually(func() (int, error) { return 0, errors.New("no such pod") }, "20ms", "5ms").Should(gomega.Equal(1))
			},
			[]string{"no such pod", "(timed out after 0.0"}, []string{"returned the following error", "errorString", "{"},
		},
		"a value": {
			func(g gomega.Gomega) { g.Eventually(func() int { return 2 }, "20ms", "5ms").Should(gomega.Equal(1)) },
			[]string{"Expected 2 to equal 1 (timed out after 0.0"}, []string{"int"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var message string
			g := gomega.NewGomega(func(said string, _ ...int) { message = said })
			c.assert(g)
			got := Headline(message)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q, of %q", got, want, message)
				}
			}
			for _, not := range c.not {
				if strings.Contains(got, not) {
					t.Errorf("%q has %q", got, not)
				}
			}
		})
	}
}

func TestWithHeadline(t *testing.T) {
	if got := WithHeadline("one\n"); got != "one" {
		t.Errorf("got %q", got)
	}
	if got := WithHeadline("one\ntwo"); got != "one two\n\none\ntwo" {
		t.Errorf("got %q", got)
	}
}
