package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
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
		defect    = "- {spec: a/c, reason: r, link: l, istio: [1.20.0], message: got 3}\n"
	)
	if _, err := ParseLists([]byte(exemption), []byte(defect)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ exemptions, defects, want string }{
		"an unknown field":     {exemption, "- {spec: a/c, why: r}\n", "why"},
		"no reason":            {"- {spec: a/b, link: l, flavours: [upstream]}\n", defect, "a/b"},
		"no link":              {exemption, "- {spec: a/c, reason: r, istio: [1.20.0]}\n", "a/c"},
		"nothing it holds for": {"- {spec: a/b, reason: r, link: l}\n", defect, "what it holds for"},
		"a patch release":      {"- {spec: a/b, reason: r, link: l, kubernetes: [1.25.4]}\n", defect, "1.25.4"},
		"no message":           {exemption, "- {spec: a/c, reason: r, link: l, istio: [1.20.0]}\n", "lacks a message"},
		"a blank message": {exemption, "- {spec: a/c, reason: r, link: l, istio: [1.20.0], message: ' '}\n",
			"lacks a message"},
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

func TestExempt(t *testing.T) {
	lists, err := ParseLists([]byte(`
- {spec: a/proxy, reason: r, link: l, flavours: [upstream]}
- {spec: a/cluster, reason: r, link: l, kubernetes: ["1.2", "1.25", "1.27"]}
- {spec: a/either, reason: r, link: l, flavours: [upstream], kubernetes: ["1.25"]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		spec, kubernetes, flavour string
		want                      bool
	}{
		{"a/proxy", "1.25.4", "upstream", true},
		{"a/proxy", "1.25.4", "istio", false},
		{"a/cluster", "1.25.4", "upstream", true},
		{"a/cluster", "1.27.4", "istio", true},
		// A minor is not the beginning of another.
		{"a/cluster", "1.28.15", "upstream", false},
		{"a/either", "1.25.4", "istio", true},
		{"a/either", "1.28.15", "upstream", true},
		{"a/either", "1.28.15", "istio", false},
		{"a/none", "1.25.4", "upstream", false},
	}
	for _, c := range cases {
		cell := &kindconfig.Cell{Kubernetes: c.kubernetes, ProxyFlavour: c.flavour}
		if got := lists.Exempt(c.spec, cell) != nil; got != c.want {
			t.Errorf("%s on Kubernetes %s with the %s proxy: exempt is %v, want %v", c.spec, c.kubernetes, c.flavour, got, c.want)
		}
	}
	if got, want := strings.Join(lists.Exemptions[2].For(), ", "), "upstream, Kubernetes 1.25"; got != want {
		t.Errorf("it holds for %q, want %q", got, want)
	}
}
