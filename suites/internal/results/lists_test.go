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
	lists, err := ParseLists(read("exemptions.yaml"), read("known-defects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range lists.KnownDefects {
		for _, tried := range []string{"1.20.0", "1.20.1"} {
			if !d.Holds(kindconfig.ReleaseSubject(tried)) {
				t.Errorf("%s was seen on %s, which is not in its range %q", d.Spec, tried, d.Affected)
			}
		}
		if d.Holds(kindconfig.ReleaseSubject("1.19.0")) {
			t.Errorf("%s has a range %q that reaches before the release under test", d.Spec, d.Affected)
		}
	}
}

func TestParseListsRefuses(t *testing.T) {
	const (
		exemption = "- {spec: a/b, reason: r, link: l, kubernetes: ['1.25']}\n"
		defect    = "- {spec: a/c, reason: r, link: l, affected: '>=1.20.0', severity: traffic, message: got 3}\n"
	)
	if _, err := ParseLists([]byte(exemption), []byte(defect)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ exemptions, defects, want string }{
		"a malformed exemption":    {"spec: a/b", defect, "exemptions.yaml"},
		"a malformed known defect": {exemption, "- {spec: a/c, why: r}\n", "known-defects.yaml"},
		"a spec in one list twice": {exemption + exemption, defect, "twice"},
		"a spec in both lists":     {exemption, strings.Replace(defect, "a/c", "a/b", 1), "twice"},
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

func TestVendorsListsHoldBesideOurs(t *testing.T) {
	ours := &Lists{
		Exemptions:   []kindconfig.Exemption{{Spec: "a/exempt", Kubernetes: []string{"1.25"}}},
		KnownDefects: []kindconfig.KnownDefect{{Spec: "a/both", Affected: ">=1.20.0 <1.20.7"}},
	}
	lists := ours.With(&kindconfig.VendorLists{
		KnownDefectsFile: "acme.yaml", ExemptionsFile: "acme-exempt.yaml",
		KnownDefects: []kindconfig.KnownDefect{{Spec: "a/both", Affected: ">=1.20.7"}, {Spec: "a/acme", Affected: "*"}},
		Exemptions:   []kindconfig.Exemption{{Spec: "a/exempt", Kubernetes: []string{"1.25", "1.28"}}},
	})
	for name, c := range map[string]struct {
		spec, version, list string
		holds               bool
	}{
		"ours":                   {"a/both", "1.20.0", "known-defects.yaml", true},
		"theirs out of ours":     {"a/both", "1.20.7", "acme.yaml", true},
		"theirs alone":           {"a/acme", "1.20.0", "acme.yaml", true},
		"neither holds, so ours": {"a/both", "1.19.0", "known-defects.yaml", false},
	} {
		t.Run(name, func(t *testing.T) {
			entry, holds := lists.defect(c.spec, kindconfig.ReleaseSubject(c.version))
			if entry == nil || holds != c.holds || entry.ListName() != c.list {
				t.Errorf("found %+v, which holds is %v", entry, holds)
			}
		})
	}
	for kubernetes, list := range map[string]string{"1.25.4": "exemptions.yaml", "1.28.15": "acme-exempt.yaml"} {
		if found := lists.Exempt("a/exempt", &kindconfig.Cell{Kubernetes: kubernetes}); found == nil || found.ListName() != list {
			t.Errorf("on %s: %+v", kubernetes, found)
		}
	}
	if found := lists.Exempt("a/other", &kindconfig.Cell{Kubernetes: "1.25.4"}); found != nil {
		t.Errorf("of no entry: %+v", found)
	}
	if same := ours.With(nil); len(same.KnownDefects) != 1 || len(same.Exemptions) != 1 {
		t.Errorf("with no lists: %+v", same)
	}
}
