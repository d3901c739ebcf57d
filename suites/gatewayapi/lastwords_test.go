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
		// The messages of known-defects.yaml for MeshFrontendHostname and GatewayStaticAddresses.
		"a response by the route of another host": {
			"    pod.go:69: Response expectation failed for request: [client http://echo-v1 --method=GET -H Host: echo-v2]  not ready yet: " +
				"expected no header \"X-Header-Set\", got [set] (after 59.1s)\n    pod.go:55: timeout while waiting after 58 attempts, 0/3 successes\n",
			"last seen: expectation failed for request: [client http://echo-v1 --method=GET -H Host: echo-v2]  not ready yet: " +
				"expected no header \"X-Header-Set\", got [set] (after 59.1s)",
		},
		"addresses that are not there": {
			"        \tError:      \t\"[{x}]\" should have 3 item(s), but has 1\n" +
				"        \tMessages:   \texpected 3 addresses on the Gateway, one invalid, one usable and one unusable. somehow got 1\n",
			"\"[{x}]\" should have 3 item(s), but has 1; expected 3 addresses on the Gateway, one invalid, one usable and one unusable. somehow got 1",
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
