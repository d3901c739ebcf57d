package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestTheSuitesListsAreWellFormed(t *testing.T) {
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	if _, err := ParseLists(read("exemptions.yaml"), read("known-defects.yaml")); err != nil {
		t.Error(err)
	}
}

func TestParseListsRefuses(t *testing.T) {
	const (
		exemption = "- {spec: a/b, reason: r, link: l, flavours: [upstream]}\n"
		defect    = "- {spec: a/c, reason: r, link: l, istio: [1.20.0]}\n"
	)
	if _, err := ParseLists([]byte(exemption), []byte(defect)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ exemptions, defects, want string }{
		"an unknown field":          {exemption, "- {spec: a/c, why: r}\n", "why"},
		"no reason":                 {"- {spec: a/b, link: l, flavours: [upstream]}\n", defect, "a/b"},
		"no link":                   {exemption, "- {spec: a/c, reason: r, istio: [1.20.0]}\n", "a/c"},
		"no version":                {exemption, "- {spec: a/c, reason: r, link: l}\n", "what it holds for"},
		"a spec in one list twice":  {exemption + exemption, defect, "twice"},
		"a spec in both lists":      {exemption, "- {spec: a/b, reason: r, link: l, istio: [1.20.0]}\n", "twice"},
		"something else than lists": {"spec: a/b", defect, "exemptions.yaml"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseLists([]byte(c.exemptions), []byte(c.defects))
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}
