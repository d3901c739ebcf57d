package kindconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

// pinning is a set of pins that has these releases of Istio.
func pinning(releases ...string) *Versions {
	v := &Versions{Istio: map[string]Istio{}, Defaults: Defaults{Istio: releases[0], Control: releases[0]}}
	for _, version := range releases {
		v.Istio[version] = Istio{}
	}
	return v
}

func TestUpgradePath(t *testing.T) {
	all := []string{"1.19.0", "1.20.0", "1.20.1", "1.21.3"}
	for name, c := range map[string]struct {
		releases      []string
		asked         SubjectFile
		from, to      string
		before, after string
	}{
		"a patch follows":            {all, SubjectFile{Istio: "1.20.0"}, "1.19.0", "1.20.1", "", ""},
		"a minor follows":            {all, SubjectFile{Istio: "1.20.1"}, "1.19.0", "1.21.3", "", ""},
		"the newest of the minor":    {all, SubjectFile{Istio: "1.21.3"}, "1.20.1", "", "", "no release after 1.21.3 is pinned"},
		"nothing before":             {all, SubjectFile{Istio: "1.19.0"}, "", "1.20.0", "no release before 1.19 is pinned", ""},
		"no previous minor":          {[]string{"1.18.0", "1.20.0"}, SubjectFile{Istio: "1.20.0"}, "", "", "no release before 1.20 is pinned", "no release after 1.20.0 is pinned"},
		"as the user says":           {all, SubjectFile{Istio: "1.21.3", UpgradeFrom: "1.19.0"}, "1.19.0", "", "", "no release after 1.21.3 is pinned"},
		"to where the user says":     {all, SubjectFile{Istio: "1.20.0", UpgradeTo: "1.21.3"}, "1.19.0", "1.21.3", "", ""},
		"1.9 comes before 1.10":      {[]string{"1.10.0", "1.9.0", "1.11.0"}, SubjectFile{Istio: "1.10.0"}, "1.9.0", "1.11.0", "", ""},
		"the default, with no flags": {[]string{"1.20.0", "1.19.0"}, SubjectFile{}, "1.19.0", "", "", "no release after 1.20.0 is pinned"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := pinning(c.releases...).Subject(c.asked)
			if err != nil {
				t.Fatal(err)
			}
			before, after := s.Lacks()
			if s.From != c.from || s.To != c.to || before != c.before || after != c.after {
				t.Errorf("from %q to %q, lacks %q and %q", s.From, s.To, before, after)
			}
			if !s.Pinned || s.Origin != OriginRelease || s.Base != s.Version || s.Name != "Istio "+s.Version {
				t.Errorf("subject %+v", s)
			}
		})
	}
}

func TestSubjectFileIsOneDocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subject.yaml")
	for content, refused := range map[string]bool{
		"schema: 1\nistio: 1.20.0\n---\nistio: 1.21.3\n": true,
		"# ours\n---\nschema: 1\nistio: 1.20.0\n":        false,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSubjectFile(path)
		if (problem.ExitCode(err) == problem.ExitUsage) != refused || refused && !strings.Contains(err.Error(), "more than one YAML document") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestMalformedSubjectFileTakesOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subject.yaml")
	for _, content := range []string{"schema: 1\nistio: 1.20.0\nistio: 1.20.1\n", "schema: 1\nistio: [1.20.0]\n", "a: [\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSubjectFile(path); problem.ExitCode(err) != problem.ExitUsage || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestLocated(t *testing.T) {
	v := pinning("1.19.0", "1.20.0", "1.20.1")
	for name, c := range map[string]struct {
		version, base string
		want, says    string
	}{
		"a release":                      {"1.20.0", "", "1.20.0", ""},
		"a vendor's version":             {"1.20.0-acme.3", "1.20", "1.20.0", ""},
		"a vendor's version, no base":    {"1.20.0-acme.3", "", "", "--base"},
		"a vendor's patch":               {"1.20.8-acme", "1.20", "1.20.8", ""},
		"a patch that --base states":     {"1.20.8-acme", "1.20.3", "1.20.3", ""},
		"a release, with its minor":      {"1.20.1", "1.20", "1.20.1", ""},
		"a vendor's own numbers":         {"2.5.0", "1.20", "1.20", ""},
		"a date":                         {"20231207", "1.20", "1.20", ""},
		"own numbers, no base":           {"2.5.0", "", "", "say with --base"},
		"a release of no pinned minor":   {"9.9.9", "", "", "pinned are 1.19.0, 1.20.0, 1.20.1"},
		"an alpha":                       {"1.20-alpha.0a1b2c", "1.20", "1.20", ""},
		"an alpha, no base":              {"1.20-alpha.0a1b2c", "", "", "no release"},
		"no stamp":                       {"unknown", "1.20.1", "1.20.1", ""},
		"no stamp, no base":              {"unknown", "", "", "reports version \"unknown\""},
		"a release taken for another":    {"1.20.0", "1.20.1", "1.20.1", ""},
		"a base of another minor":        {"1.20.0", "1.19", "", "no build of 1.19"},
		"a vendor's of another minor":    {"1.21.0-acme.1", "1.20", "", "name 1.21"},
		"an alpha is not read as 1.20.0": {"1.20-alpha.0a1b2c", "1.19", "1.19", "no build of 1.19"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := v.Located(Subject{Name: "X", Origin: OriginImages, Asked: SubjectFile{Base: c.base}}, c.version)
			if c.says != "" {
				if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want one line of usage with %q", err, c.says)
				}
				return
			}
			if err != nil || s.Base != c.want || s.Version != c.version || s.From != "1.19.0" {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestUpgradesLeadBeyondTheVersion(t *testing.T) {
	v := pinning("1.19.0", "1.20.0", "1.20.1", "1.21.3")
	for name, c := range map[string]struct{ version, base, to, lacks string }{
		"an early patch":                {"1.20.0-acme", "1.20", "1.20.1", ""},
		"a late patch":                  {"1.20.8-acme", "1.20", "1.21.3", ""},
		"a base before the version":     {"1.20.1-acme", "1.20.0", "1.21.3", ""},
		"a base after the version":      {"1.20.0-acme", "1.20.3", "1.21.3", ""},
		"a base before the last":        {"1.21.5-acme", "1.21.0", "", "no release after 1.21.5 is pinned"},
		"a vendor's numbers do not say": {"2.5.0", "1.20", "1.20.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := v.Located(Subject{Name: "X", Origin: OriginImages, Asked: SubjectFile{Base: c.base}}, c.version)
			if _, lacks := s.Lacks(); err != nil || s.To != c.to || lacks != c.lacks {
				t.Errorf("to %q, lacks %q, %v", s.To, lacks, err)
			}
		})
	}
	back := Subject{Name: "X", Origin: OriginImages, Asked: SubjectFile{Base: "1.20", UpgradeTo: "1.20.1"}}
	if _, err := v.Located(back, "1.20.8-acme"); err == nil || !strings.Contains(err.Error(), "an upgrade from 1.20.8 cannot lead to 1.20.1") {
		t.Errorf("a downgrade: %v", err)
	}
}

func TestCombinationsThatMakeNoSense(t *testing.T) {
	v := pinning("1.19.0", "1.20.0", "1.20.1")
	good := "sha256:" + strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		asked SubjectFile
		want  string
	}{
		"two origins":                {SubjectFile{Istio: "1.20.0", Source: "/x"}, "--istio, --istio-source"},
		"a release and images":       {SubjectFile{Istio: "1.20.0", Hub: "h", Tag: "t"}, "--istio, --hub"},
		"a source and a tag":         {SubjectFile{Source: "/x", Tag: "t"}, "--istio-source, --hub"},
		"a hub without a tag":        {SubjectFile{Hub: "h"}, "add --tag"},
		"a tag without a hub":        {SubjectFile{Tag: "t"}, "add --hub"},
		"an istioctl of a release":   {SubjectFile{Istio: "1.20.0", Istioctl: "/x"}, "--istioctl"},
		"an istioctl of a source":    {SubjectFile{Source: "/x", Istioctl: "/x"}, "--istioctl"},
		"charts of the default":      {SubjectFile{Charts: "/x"}, "--charts"},
		"a release with a base":      {SubjectFile{Istio: "1.20.0", Base: "1.20"}, "its own base"},
		"a base that is none":        {SubjectFile{Source: "/x", Base: "new"}, "no release"},
		"a base with a suffix":       {SubjectFile{Source: "/x", Base: "1.20.0-rc.0"}, "no release"},
		"a hub that is an address":   {SubjectFile{Hub: "https://h", Tag: "t"}, "malformed"},
		"a release that is unknown":  {SubjectFile{Istio: "1.20.9"}, "unknown Istio version"},
		"an upgrade from nowhere":    {SubjectFile{UpgradeFrom: "1.18.0", Istio: "1.20.0"}, "--upgrade-from"},
		"an upgrade to nowhere":      {SubjectFile{UpgradeTo: "1.30.0", Istio: "1.20.0"}, "--upgrade-to"},
		"an upgrade from the future": {SubjectFile{UpgradeFrom: "1.20.1", Istio: "1.20.0"}, "cannot start from 1.20.1"},
		"an upgrade from itself":     {SubjectFile{UpgradeFrom: "1.20.0", Istio: "1.20.0"}, "cannot start from 1.20.0"},
		"an upgrade to the past":     {SubjectFile{UpgradeTo: "1.19.0", Istio: "1.20.0"}, "cannot lead to 1.19.0"},
		"images of another kind":     {SubjectFile{Istio: "1.20.0", Images: "stolen"}, "auto, published, built"},
		"a digest that is none":      {SubjectFile{Hub: "h", Tag: "t", Digests: map[string]string{"pilot": "sha256:12"}}, "malformed"},
		"a digest of no part":        {SubjectFile{Hub: "h", Tag: "t", Digests: map[string]string{"ztunnel": good}}, "no part of a build"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Subject(c.asked)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line of usage with %q", err, c.want)
			}
		})
	}
}

func TestSubjectFiles(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ content, want string }{
		"no schema":        {"istio: 1.20.0\n", "has no schema"},
		"another schema":   {"schema: 2\nistio: 1.20.0\n", "schema 2, and this program reads schema 1"},
		"an unknown field": {"schema: 1\nistoi: 1.20.0\n", "istoi"},
		"a field twice":    {"schema: 1\nistio: 1.20.0\nistio: 1.20.1\n", "istio"},
		"no YAML":          {"schema: [", "malformed"},
		"a list":           {"- schema: 1\n", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "subject.yaml")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadSubjectFile(path)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line of usage with %q", err, c.want)
			}
		})
	}
	if _, err := LoadSubjectFile(filepath.Join(dir, "none.yaml")); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestASubjectFileIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), SubjectName)
	want := SubjectFile{
		Schema: SubjectSchema, Name: "Acme 3", Hub: "h", Tag: "t", Istioctl: "/bin/istioctl", Charts: "/charts", Base: "1.20",
		UpgradeFrom: "1.19.0", UpgradeTo: "1.20.1", Images: "built", Digests: map[string]string{"pilot": "sha256:1"},
	}
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSubjectFile(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("schema: 1\nhub: h\ntag: 1.30\nbase: 1.20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSubjectFile(path); err != nil || got.Base != "1.20" || got.Tag != "1.30" {
		t.Errorf("versions without quotes: %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("schema: 1\nsource: ../istio\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSubjectFile(path); err != nil || got.Source != filepath.Join(filepath.Dir(filepath.Dir(path)), "istio") {
		t.Errorf("a relative path: %+v, %v", got, err)
	}
}
