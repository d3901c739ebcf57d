package main

import (
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestTheVersionOfANamedNode(t *testing.T) {
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ asked, version, minor, says string }{
		"nothing is asked":      {"", "1.25.11", "1.25", ""},
		"no such pin":           {"", "1.31.2", "1.31", ""},
		"the minor of the node": {"1.28", "1.28.0", "1.28", ""},
		"the pinned patch":      {"v1.28.15", "1.28.0", "1.28", ""},
		"another minor":         {"1.25", "1.28.0", "", "kindest/node:x has Kubernetes 1.28.0, and --kubernetes is 1.25 (--nodes)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ofNode(versions, c.asked, "kindest/node:x", c.version)
			if c.says != "" {
				if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v; want usage with %q", err, c.says)
				}
				return
			}
			if err != nil || got.Minor != c.minor || got.Version == "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
