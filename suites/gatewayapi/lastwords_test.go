package gatewayapi

import (
	"io"
	"strings"
	"testing"
)

func TestWhy(t *testing.T) {
	cases := map[string]struct{ said, want string }{
		"an assertion with the test's words": {
			"        \tError Trace:\t/x/helpers.go:1\n        \tError:      \tReceived unexpected error:\n        \tMessages:   \terror waiting for HTTPRoute\n",
			"Received unexpected error:; error waiting for HTTPRoute",
		},
		"what it waited for": {
			"    http.go:200: Response expectation failed for request: {GET} not ready yet: expected 200, got 404 (after 3s)\n    ok\n",
			"last seen: expectation failed for request: {GET} not ready yet: expected 200, got 404 (after 3s)",
		},
		"nothing": {"=== RUN x\n", "see its output in the log"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			words := &lastWords{}
			passedOn := &strings.Builder{}
			out := words.beside(passedOn)
			for _, line := range strings.SplitAfter(c.said, "\n") {
				if _, err := io.WriteString(out, line); err != nil {
					t.Fatal(err)
				}
			}
			if got := words.why(); got != c.want {
				t.Errorf("why() = %q\nwant    %q", got, c.want)
			}
			if passedOn.String() != c.said {
				t.Errorf("passed on %q, want all of it", passedOn)
			}
		})
	}
}
