package kindconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

// entry is a known defect of the suite's own list, in YAML, with one of its fields replaced or removed.
func entry(field, value string) string {
	fields := map[string]string{
		"spec": "a/b", "reason": "r", "link": "l", "affected": `">=1.20.0 <1.20.7"`, "fixed": "1.20.7", "severity": "traffic",
		"message": "got 3",
	}
	fields[field] = value
	var said []string
	for name, value := range fields {
		if value != "" {
			said = append(said, name+": "+value)
		}
	}
	return "- {" + strings.Join(said, ", ") + "}\n"
}

func TestParseKnownDefects(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		vendors bool
		want    string
	}{
		"whole":                                {entry("", ""), false, ""},
		"several ranges and repairs":           {entry("fixed", "'1.20.7, 1.21.3'"), false, ""},
		"open range":                           {strings.Replace(entry("fixed", ""), " <1.20.7", "", 1), false, ""},
		"vendor's without a link":              {entry("link", ""), true, ""},
		"none":                                 {"", false, ""},
		"comments before the document":         {"# ours\n---\n" + entry("", ""), false, ""},
		"without a link":                       {entry("link", ""), false, "lacks a link"},
		"without a reason":                     {entry("reason", ""), true, "lacks a reason"},
		"blank reason":                         {entry("reason", "' '"), true, "lacks a reason"},
		"without a spec":                       {entry("spec", ""), false, "lacks a spec"},
		"without a range":                      {entry("affected", ""), false, "lacks affected"},
		"list of versions of the older format": {"- {spec: a/b, reason: r, link: l, istio: [1.20.0], message: m}\n", false, "istio"},
		"malformed range":                      {entry("affected", "soon"), false, "malformed range"},
		"repair that is no release":            {entry("fixed", "'1.21'"), false, "no release"},
		"repair in the range":                  {entry("fixed", "1.20.6"), false, "in its range"},
		"repairs in the wrong order":           {entry("fixed", "'1.21.3, 1.20.7'"), false, "oldest first"},
		"without a severity":                   {entry("severity", ""), false, "none of traffic, security, observability, tooling"},
		"unknown severity":                     {entry("severity", "high"), false, `severity "high"`},
		"without a message":                    {entry("message", ""), false, "lacks a message"},
		"blank message":                        {entry("message", "' '"), false, "lacks a message"},
		"unknown field":                        {entry("why", "r"), false, "why"},
		"no list":                              {"spec: a/b", false, "malformed"},
		"a range as a number":                  {"- {spec: a/b, reason: r, link: l, affected: 1.20, fixed: 1.21.0, severity: traffic, message: m}\n", false, ""},
		"a range that nothing is in":           {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `">1.21.0 <1.20.0"`, 1), false, "which no release can be in"},
		"a part that nothing is in":            {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `"1.20.0 || >1.21.0 <1.20.0"`, 1), false, `the range ">1.21.0 <1.20.0"`},
		"between neighbours":                   {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `">1.20.0 <1.20.1"`, 1), false, "which no release can be in"},
		"a wildcard":                           {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `"1.20.x"`, 1), false, ""},
		"every release":                        {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `"*"`, 1), false, ""},
		"a range of minors":                    {strings.Replace(entry("fixed", ""), `">=1.20.0 <1.20.7"`, `">1.20 <1.23"`, 1), false, ""},
		"repair before the range":              {entry("fixed", "1.19.9"), false, "older than every release of its range"},
		"an empty file of a vendor":            {"# nothing\n", true, "the list is empty"},
		"no entry of a vendor":                 {"[]\n", true, ""},
		"separator at the end":                 {entry("", "") + "---\n", false, ""},
		"malformed YAML":                       {"- {spec: a\n  b: [\n", true, "malformed"},
		"second document":                      {entry("", "") + "---\n" + entry("spec", "a/c"), false, "more than one"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := ParseKnownDefects([]byte(c.content), "some.yaml", c.vendors)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range list {
					if (d.List == "some.yaml") != c.vendors {
						t.Errorf("the entry is from list %q", d.List)
					}
				}
				return
			}
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "some.yaml") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestParseExemptions(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		vendors bool
		want    string
	}{
		"by extension":            {"- {spec: a/b, reason: r, link: l, extensions: [istio.alpn]}\n", false, ""},
		"by Kubernetes":           {"- {spec: a/b, reason: r, link: l, kubernetes: ['1.25']}\n", false, ""},
		"vendor's without a link": {"- {spec: a/b, reason: r, extensions: [istio.alpn]}\n", true, ""},
		"by the older flavours":   {"- {spec: a/b, reason: r, link: l, flavours: [upstream]}\n", false, "flavours"},
		"without a link":          {"- {spec: a/b, reason: r, extensions: [istio.alpn]}\n", false, "lacks a link"},
		"without a reason":        {"- {spec: a/b, link: l, extensions: [istio.alpn]}\n", true, "lacks a reason"},
		"without a condition":     {"- {spec: a/b, reason: r, link: l}\n", false, "what it holds for"},
		"by Kubernetes as number": {"- {spec: a/b, reason: r, link: l, kubernetes: [1.25]}\n", false, ""},
		"an extension of Envoy":   {"- {spec: a/b, reason: r, link: l, extensions: [envoy.filters.http.lua]}\n", false, ""},
		"an extension of Istio, mistyped": {"- {spec: a/b, reason: r, link: l, extensions: [envoy.filters.network.metadata_exchnge]}\n", false,
			"did you mean envoy.filters.network.metadata_exchange?"},
		"an unknown extension":  {"- {spec: a/b, reason: r, link: l, extensions: [no.such]}\n", false, `names the extension "no.such"`},
		"an unknown Kubernetes": {"- {spec: a/b, reason: r, link: l, kubernetes: ['9.99']}\n", false, "Kubernetes 9.99, which is not pinned"},
		"patch release":         {"- {spec: a/b, reason: r, link: l, kubernetes: [1.25.4]}\n", false, "1.25.4"},
		"empty extension":       {"- {spec: a/b, reason: r, link: l, extensions: ['']}\n", false, `names the extension ""`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseExemptions([]byte(c.content), "some.yaml", c.vendors)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestNumbersOfListsAreVersions(t *testing.T) {
	defects, err := ParseKnownDefects([]byte("- {spec: a/b, reason: r, affected: 1.20, severity: traffic, message: 404}\n"), "f", true)
	if err != nil || len(defects) != 1 || defects[0].Affected != "1.20" || defects[0].Message != "404" {
		t.Errorf("defects %+v, %v", defects, err)
	}
	if _, err := ParseExemptions([]byte("- {spec: a/b, reason: r, kubernetes: [1.30]}\n"), "f", true); err == nil ||
		!strings.Contains(err.Error(), "Kubernetes 1.30") {
		t.Errorf("1.30 became another version: %v", err)
	}
}

func TestListedOnce(t *testing.T) {
	defects := []KnownDefect{{Spec: "a/b"}}
	if err := ListedOnce([]Exemption{{Spec: "a/c"}}, defects); err != nil {
		t.Error(err)
	}
	for name, exemptions := range map[string][]Exemption{
		"twice in one list": {{Spec: "a/c"}, {Spec: "a/c"}},
		"in both lists":     {{Spec: "a/b", List: "acme.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := ListedOnce(exemptions, defects); problem.ExitCode(err) != problem.ExitUsage {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKnownDefectOfABuild(t *testing.T) {
	branches := KnownDefect{Affected: ">=1.20.0 <1.20.7 || >=1.21.0 <1.21.3", Fixed: "1.20.7, 1.21.3"}
	unknown := KnownDefect{Affected: ">=1.20.0 <=1.21.3"}
	for name, c := range map[string]struct {
		defect      KnownDefect
		base        string
		holds       bool
		fixed, last string
	}{
		"older than the range":         {branches, "1.19.0", false, "", ""},
		"first of the range":           {branches, "1.20.0", true, "", ""},
		"repaired on its branch":       {branches, "1.20.8", false, "1.20.7", "1.20.0"},
		"next branch before a repair":  {branches, "1.21.2", true, "1.20.7", "1.21.0"},
		"repaired on the next branch":  {branches, "1.21.3", false, "1.21.3", "1.21.0"},
		"newer than both":              {branches, "1.22.0", false, "1.21.3", "1.21.0"},
		"last that is known to have":   {unknown, "1.21.3", true, "", "1.20.0"},
		"newer than what is known":     {unknown, "1.22.0", false, "", "1.21.3"},
		"minor for its first":          {unknown, "1.20", true, "", ""},
		"newer than an excluded end":   {KnownDefect{Affected: "<1.21.0"}, "1.21.3", false, "", ""},
		"build placed at no release":   {unknown, "unknown", false, "", ""},
		"older than an open-end range": {KnownDefect{Affected: ">=1.20.0"}, "1.19.3", false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := ReleaseSubject(c.base)
			if got := c.defect.Holds(s); got != c.holds {
				t.Errorf("it holds is %v", got)
			}
			if got, want := c.defect.EndsBefore(s), !c.holds && (c.fixed != "" || c.last != "" || name == "newer than an excluded end"); got != want {
				t.Errorf("the range ends before it is %v", got)
			}
			if got := c.defect.FixedBefore(s); got != c.fixed {
				t.Errorf("fixed in %q, want %q", got, c.fixed)
			}
			if got := c.defect.LastBefore(s); got != c.last {
				t.Errorf("last seen in %q, want %q", got, c.last)
			}
		})
	}
}

func TestOutside(t *testing.T) {
	for name, c := range map[string]struct {
		defect     KnownDefect
		base, want string
	}{
		"back": {KnownDefect{Affected: ">=1.20.0 <1.20.7", Fixed: "1.20.7"}, "1.20.8",
			"known-defects.yaml has this as a defect of >=1.20.0 <1.20.7, repaired in 1.20.7: it is back"},
		"beyond what is known": {KnownDefect{Affected: ">=1.20.0 <=1.21.3", List: "acme.yaml"}, "1.22.0",
			"acme.yaml has this as a defect of >=1.20.0 <=1.21.3, and not of 1.22.0: widen the range if the build is known to " +
				"have it"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.defect.Outside(ReleaseSubject(c.base)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestExemptionHolds(t *testing.T) {
	stats := Exemption{Extensions: []string{"envoy.filters.network.metadata_exchange", "envoy.filters.network.istio_stats"}}
	for name, c := range map[string]struct {
		exemption Exemption
		cell      Cell
		want      bool
	}{
		"all extensions": {stats, Cell{ProxyExtensions: []string{
			"envoy.filters.network.istio_stats", "envoy.filters.network.metadata_exchange"}}, false},
		"one extension is missing": {stats, Cell{ProxyFlavour: "istio",
			ProxyExtensions: []string{"envoy.filters.network.istio_stats"}}, true},
		"no extension":                    {stats, Cell{ProxyFlavour: "istio", ProxyExtensions: []string{}}, true},
		"upstream that has not been read": {stats, Cell{ProxyFlavour: "upstream"}, true},
		"Istio's that has not been read":  {stats, Cell{ProxyFlavour: "istio"}, false},
		"Envoy's own extension, not read": {Exemption{Extensions: []string{"envoy.filters.http.lua"}},
			Cell{ProxyFlavour: "upstream"}, false},
		"Kubernetes": {Exemption{Kubernetes: []string{"1.2", "1.25"}}, Cell{Kubernetes: "1.25.4"}, true},
		// A minor is not the beginning of another.
		"other Kubernetes": {Exemption{Kubernetes: []string{"1.2", "1.25"}}, Cell{Kubernetes: "1.28.15"}, false},
		"either": {Exemption{Kubernetes: []string{"1.25"}, Extensions: stats.Extensions},
			Cell{Kubernetes: "1.25.4", ProxyFlavour: "istio"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.exemption.Holds(&c.cell); got != c.want {
				t.Errorf("it holds is %v, want %v", got, c.want)
			}
		})
	}
	both := Exemption{Kubernetes: []string{"1.25"}, Extensions: []string{"istio.alpn"}}
	if got, want := strings.Join(both.For(), ", "), "a proxy without istio.alpn, Kubernetes 1.25"; got != want {
		t.Errorf("it holds for %q, want %q", got, want)
	}
}

func TestVendorListsGoThroughTheJob(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	defects := write("defects.yaml", entry("link", ""))
	exemptions := write("exemptions.yaml", "- {spec: a/c, reason: r, kubernetes: ['1.25']}\n")
	lists, err := LoadVendorLists(defects, exemptions)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(lists)
	if err != nil {
		t.Fatal(err)
	}
	var arrived *VendorLists
	if err := json.Unmarshal(encoded, &arrived); err != nil {
		t.Fatal(err)
	}
	e, d := arrived.Named()
	if len(e) != 1 || e[0].ListName() != exemptions || len(d) != 1 || d[0].ListName() != defects || d[0].Message != "got 3" {
		t.Errorf("arrived as %+v and %+v", e, d)
	}
	if none, err := LoadVendorLists("", ""); none != nil || err != nil {
		t.Errorf("of no file: %v, %v", none, err)
	}
	for name, files := range map[string][2]string{
		"a spec in both files":    {defects, write("same.yaml", "- {spec: a/b, reason: r, kubernetes: ['1.25']}\n")},
		"a file that is absent":   {filepath.Join(dir, "absent"), ""},
		"a file of another shape": {exemptions, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := LoadVendorLists(files[0], files[1]); problem.ExitCode(err) != problem.ExitUsage {
				t.Errorf("got %v, want a usage error", err)
			}
		})
	}
}
