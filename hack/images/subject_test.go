package images

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// acmeVersion is what a vendor's build reports of itself.
const acmeVersion = "1.20.0-acme.3"

// script writes an executable script and returns its path.
func script(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "istioctl")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeTree makes files below a folder, by their paths.
func writeTree(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tree makes a folder that has what a source tree of Istio has to have.
func tree(t *testing.T, without ...string) string {
	t.Helper()
	files := map[string]string{"go.mod": "module istio.io/istio\n\ngo 1.21\n", "VERSION": "1.20\n", "pilot/pkg/x.go": "package x\n"}
	for _, main := range treeMains {
		files[strings.TrimPrefix(main, "./")+"/main.go"] = "package main\n"
	}
	for _, path := range bootstrapPaths {
		files[path] = "{}\n"
	}
	for _, path := range chartPaths {
		files["manifests/"+path] = "name: x\n"
	}
	for _, path := range without {
		delete(files, path)
	}
	return writeTree(t, t.TempDir(), files)
}

func loadVersions(t *testing.T) *kindconfig.Versions {
	t.Helper()
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

func TestSubjectsThatCannotBe(t *testing.T) {
	const works = "#!/bin/sh\necho '{\"clientVersion\": {\"version\": \"1.20.0\"}}'\n"
	charts := writeTree(t, t.TempDir(), map[string]string{"charts/base/Chart.yaml": "", "profiles/default.yaml": ""})
	for name, c := range map[string]struct {
		asked kindconfig.SubjectFile
		want  string
	}{
		"a source that is not there":    {kindconfig.SubjectFile{Source: "/nonexistent"}, "/nonexistent does not exist (--istio-source)"},
		"a source without go.mod":       {kindconfig.SubjectFile{Source: tree(t, "go.mod")}, "has no go.mod"},
		"a source of another module":    {kindconfig.SubjectFile{Source: writeTree(t, tree(t), map[string]string{"go.mod": "module example.com/x\n"})}, `declares module "example.com/x"`},
		"a source without a program":    {kindconfig.SubjectFile{Source: writeTree(t, t.TempDir(), map[string]string{"go.mod": "module istio.io/istio\n"})}, "lacks cni/cmd/install-cni"},
		"a source without charts":       {kindconfig.SubjectFile{Source: tree(t, "manifests/charts/base/Chart.yaml")}, "lacks charts/base/Chart.yaml"},
		"a source without a version":    {kindconfig.SubjectFile{Source: tree(t, "VERSION")}, "--base"},
		"a source of no release":        {kindconfig.SubjectFile{Source: writeTree(t, tree(t), map[string]string{"VERSION": "master\n"})}, `says "master"`},
		"a source that has changed":     {kindconfig.SubjectFile{Source: tree(t), Digests: map[string]string{"source": "sha256:" + strings.Repeat("0", 64)}}, "the subject file names sha256:0000"},
		"an istioctl that is not there": {kindconfig.SubjectFile{Hub: "h", Tag: "t", Istioctl: "/nonexistent"}, "/nonexistent does not exist (--istioctl)"},
		"an istioctl that fails":        {kindconfig.SubjectFile{Hub: "h", Tag: "t", Istioctl: script(t, "#!/bin/sh\necho no >&2\nexit 1\n")}, "does not execute: exit status 1: no"},
		"an istioctl that is none":      {kindconfig.SubjectFile{Hub: "h", Tag: "t", Istioctl: script(t, "#!/bin/sh\necho hello\n")}, "does not report a version"},
		"charts that are none":          {kindconfig.SubjectFile{Hub: "h", Tag: "t", Istioctl: script(t, works), Charts: charts}, "lacks charts/istio-control/istio-discovery/Chart.yaml (--charts"},
		"a hub without a tag":           {kindconfig.SubjectFile{Hub: "h"}, "add --tag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Subject(t.Context(), loadVersions(t), c.asked)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line of usage with %q", err, c.want)
			}
		})
	}
}

func TestASourceIsItsContent(t *testing.T) {
	versions, dir := loadVersions(t), tree(t)
	locate := func(base string) kindconfig.Subject {
		t.Helper()
		subject, err := Subject(t.Context(), versions, kindconfig.SubjectFile{Source: dir, Base: base})
		if err != nil {
			t.Fatal(err)
		}
		return subject
	}
	first := locate("")
	if first.Origin != kindconfig.OriginSource || first.Pinned || first.Base != "1.20.0" || first.From != "1.19.0" || first.To != "1.20.1" ||
		!strings.HasPrefix(first.Version, "1.20.0-source-") {
		t.Errorf("subject %+v", first)
	}
	if placed := locate("1.20.1"); placed.Base != "1.20.1" || !strings.HasPrefix(placed.Version, "1.20.1-source-") {
		t.Errorf("with a base: %+v", placed)
	}
	for _, c := range []struct {
		what, path string
		counts     bool
	}{
		{"a test", "pilot/pkg/x_test.go", false}, {"the repository", ".git/index", false}, {"what was built", "out/linux/pilot", false},
		{"a source", "pilot/pkg/x.go", true}, {"a chart", "manifests/charts/base/values.yaml", true}, {"go.sum", "go.sum", true},
	} {
		before := locate("").Digest(kindconfig.PartSource)
		writeTree(t, dir, map[string]string{c.path: "changed"})
		if after := locate("").Digest(kindconfig.PartSource); (after != before) != c.counts {
			t.Errorf("%s changes the digest: %t, want %t", c.what, after != before, c.counts)
		}
	}
}

func TestWhereASourceIsPlaced(t *testing.T) {
	for name, c := range map[string]struct {
		file, base string
		want, note string
		says       string
	}{
		"a minor version":                  {"1.20", "", "1.20.0", "placed at 1.20.0 by VERSION", ""},
		"a release":                        {"1.20.3", "", "1.20.3", "", ""},
		"a minor and a base with a patch":  {"1.20", "1.20.7", "1.20.7", "", ""},
		"a release and a base without one": {"1.20.3", "1.20", "1.20.3", "", ""},
		"no release":                       {"master", "1.20", "1.20.0", "placed at 1.20.0 by --base", ""},
		"a base of another minor":          {"1.20", "1.21", "", "", "the source's file VERSION says 1.20, which is no build of 1.21"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, tree(t), map[string]string{"VERSION": c.file + "\n"})
			subject, err := Subject(t.Context(), loadVersions(t), kindconfig.SubjectFile{Source: dir, Base: c.base})
			if c.says != "" {
				if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v; want usage with %q", err, c.says)
				}
				return
			}
			if err != nil || subject.Base != c.want || subject.Placement != c.note || strings.Contains(subject.Name, "placed") != (c.note != "") {
				t.Errorf("%+v, %v", subject, err)
			}
		})
	}
}

func TestATreeWithAStampOfItsOwn(t *testing.T) {
	versions := loadVersions(t)
	placed, err := Subject(t.Context(), versions, kindconfig.SubjectFile{Source: tree(t), UpgradeTo: "1.21.3"})
	if err != nil {
		t.Fatal(err)
	}
	for version, c := range map[string]struct {
		base  string
		noted bool
	}{
		"1.20.8-acme": {"1.20.8", false}, "1.20.0-acme": {"1.20.0", true}, "unknown": {"1.20", true}, "2.5.0": {"1.20", true},
	} {
		made, err := stamped(versions, placed, version)
		if err != nil || made.Version != version || made.Base != c.base || (made.Placement != "") != c.noted ||
			strings.Contains(made.Name, "placed at") != c.noted || len(made.Parts) != 1 {
			t.Errorf("%s: %+v, %v", version, made, err)
		}
	}
	placed.Asked.UpgradeTo, placed.To = "", "1.20.1"
	if _, err := stamped(versions, placed, "1.20.8-acme"); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "--base 1.20.8") {
		t.Errorf("a stamp that the upgrades were not prepared for: %v", err)
	}
	if _, err := stamped(versions, placed, "1.21.0-acme"); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a stamp of another minor: %v", err)
	}
}

func TestPlanOfASource(t *testing.T) {
	b, kubernetes, _ := newPlanner(t)
	dir := tree(t)
	key := func() (string, *plan) {
		t.Helper()
		subject, err := Subject(t.Context(), b.versions, kindconfig.SubjectFile{Source: dir})
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.plan(t.Context(), kubernetes, subject)
		if err != nil {
			t.Fatal(err)
		}
		return p.node.key(), p
	}
	first, p := key()
	if again, _ := key(); again != first {
		t.Error("the same tree has another key")
	}
	if p.cell.Source != SourceBuilt || p.cell.Tag != p.cell.Subject.Version || p.cell.Hub != subjectHub || p.subject.charts == nil || p.subject.chartsApart {
		t.Errorf("cell %+v", p.cell)
	}
	writeTree(t, dir, map[string]string{"pilot/pkg/x.go": "package x // patched\n"})
	if patched, _ := key(); patched == first {
		t.Error("a patched tree has the key of the old one")
	}
}

func TestNextRelease(t *testing.T) {
	for version, want := range map[string]string{
		"v1.20.0-rc.0": "v1.20.0", "v1.20.1-0.20231207143627-8237149662d6": "v1.20.1", "v1.20.1": "",
	} {
		if got, is := nextRelease(version); got != want || is != (want != "") {
			t.Errorf("nextRelease(%s) = %s, %t", version, got, is)
		}
	}
}

// imagesSubject resolves a subject of images at a hub.
func imagesSubject(t *testing.T, b *Builder, asked kindconfig.SubjectFile) (kindconfig.Subject, error) {
	t.Helper()
	subject, err := Subject(t.Context(), b.versions, asked)
	if err != nil {
		t.Fatal(err)
	}
	return b.Subject(t.Context(), subject)
}

func TestSubjectOfImages(t *testing.T) {
	fake := newFakeRegistry(t)
	for tag, version := range map[string]string{"acme": acmeVersion, "released": "1.20.1", "unstamped": "unknown"} {
		fake.pushProgram(t, "pilot", tag, "pilot-discovery", reporting(version))
	}
	fake.push(t, "pilot", "other", "amd64")
	fake.pushProgram(t, "pilot", "broken", "pilot-discovery", "#!/bin/sh\nexit 2\n")
	b := newPublished(t, &fakeEngine{}, fake.hub)
	for name, c := range map[string]struct {
		asked         kindconfig.SubjectFile
		version, base string
		says          string
	}{
		"a release":               {kindconfig.SubjectFile{Tag: "released"}, "1.20.1", "1.20.1", ""},
		"a vendor's build":        {kindconfig.SubjectFile{Tag: "acme", Base: "1.20"}, acmeVersion, "1.20.0", ""},
		"a vendor's, no base":     {kindconfig.SubjectFile{Tag: "acme"}, "", "", "--base"},
		"no stamp, no base":       {kindconfig.SubjectFile{Tag: "unstamped"}, "", "", `reports version "unknown"`},
		"no stamp":                {kindconfig.SubjectFile{Tag: "unstamped", Base: "1.20"}, "unknown", "1.20", ""},
		"no image":                {kindconfig.SubjectFile{Tag: "none"}, "", "", "(--hub, --tag); name images that exist"},
		"an image of no pilot":    {kindconfig.SubjectFile{Tag: "other"}, "", "", "carries no /usr/local/bin/pilot-discovery"},
		"a pilot that fails":      {kindconfig.SubjectFile{Tag: "broken"}, "", "", "does not execute"},
		"another istioctl":        {kindconfig.SubjectFile{Tag: "released", Istioctl: script(t, reporting("1.20.0"))}, "", "", "istioctl is of version 1.20.0, and pilot of version 1.20.1"},
		"the istioctl of the two": {kindconfig.SubjectFile{Tag: "released", Istioctl: script(t, reporting("1.20.1"))}, "1.20.1", "1.20.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.asked.Hub = fake.hub
			subject, err := imagesSubject(t, b, c.asked)
			if c.says != "" {
				if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v; want one line of usage with %q", err, c.says)
				}
				return
			}
			if err != nil || subject.Version != c.version || subject.Base != c.base || subject.From != "1.19.0" || subject.Pinned {
				t.Errorf("%+v, %v", subject, err)
			}
		})
	}
}

func TestPlanOfImages(t *testing.T) {
	fake := newFakeRegistry(t)
	pilot := fake.pushProgram(t, "pilot", "acme", "pilot-discovery", reporting(acmeVersion))
	fake.push(t, "proxyv2", "acme", "amd64")
	fake.push(t, "install-cni", "acme", "amd64")
	b := newPublished(t, &fakeEngine{answers: map[string]string{"image inspect": nodeID}}, fake.hub)
	b.options.Source, b.options.NodeSource = SourceBuilt, SourceBuilt
	kubernetes, _ := publishedCell(t, b)
	kubernetes, err := b.versions.ForKubernetes(kubernetes.Minor)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := imagesSubject(t, b, kindconfig.SubjectFile{Hub: fake.hub, Tag: "acme", Base: "1.20"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.plan(t.Context(), kubernetes, subject)
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "there is no istioctl for "+acmeVersion) {
		t.Errorf("without an istioctl: %v", err)
	}

	fake.pushProgram(t, "istioctl", "acme", "istioctl", reporting(acmeVersion))
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	if p.cell.Source != SourcePublished || p.cell.NodeSource != SourceBuilt || p.cell.Hub != fake.hub || p.cell.Tag != "acme" || p.archive != nil {
		t.Errorf("private images on a built node: %+v, archive %v", p.cell, p.archive)
	}
	for _, image := range p.subject.images {
		if !slices.Contains(p.node.needs, image) {
			t.Errorf("the node does not carry %s", image.name)
		}
	}
	if p.subject.istioctl.name != "istioctl-of-published-istioctl" {
		t.Errorf("istioctl is %s", p.subject.istioctl.name)
	}
	if err := b.realise(t.Context(), p.subject.programs()); err != nil {
		t.Fatal(err)
	}
	own, err := istioctlVersion(t.Context(), filepath.Join(b.store.path(p.subject.istioctl), "istioctl"), "")
	if err != nil || own != acmeVersion {
		t.Errorf("the istioctl of the image is of %q, %v", own, err)
	}
	made, err := b.verify(t.Context(), p, []kindconfig.Image{{Name: "pilot", Reference: fake.hub + "/pilot:acme", Digest: pilot, Role: RoleSubject}})
	if err != nil {
		t.Fatal(err)
	}
	if made.Digest(kindconfig.PartPilot) != pilot || made.Digest(kindconfig.PartIstioctl) == "" || made.Asked.Digests["pilot"] != pilot ||
		made.Asked.UpgradeFrom != "1.19.0" || made.Asked.Check() != nil {
		t.Errorf("subject %+v", made)
	}
	p.cell.Subject.Asked.Digests = map[string]string{"pilot": "sha256:" + strings.Repeat("0", 64)}
	_, err = b.verify(t.Context(), p, []kindconfig.Image{{Name: "pilot", Reference: fake.hub + "/pilot:acme", Digest: pilot, Role: RoleSubject}})
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "the subject file names sha256:0000") {
		t.Errorf("a digest that moved: %v", err)
	}

	// Where the hub has no istioctl, that of the release which pilot reports is built.
	fake.pushProgram(t, "pilot", "1.20.1", "pilot-discovery", reporting("1.20.1"))
	fake.push(t, "proxyv2", "1.20.1", "amd64")
	fake.push(t, "install-cni", "1.20.1", "amd64")
	if subject, err = imagesSubject(t, b, kindconfig.SubjectFile{Hub: fake.hub, Tag: "1.20.1"}); err != nil {
		t.Fatal(err)
	}
	if p, err = b.plan(t.Context(), kubernetes, subject); err != nil || p.subject.istioctl.name != "istio-1.20.1" {
		t.Errorf("istioctl is %v, %v", p.subject.istioctl, err)
	}
}

// A private build that reports the version of a release which its upgrade leads to or that is the control.
func TestIstioctlsOfOneVersionStayApart(t *testing.T) {
	own, releases := newFakeRegistry(t), newFakeRegistry(t)
	for _, image := range []string{"proxyv2", "install-cni"} {
		own.push(t, image, "mine", "amd64")
	}
	own.pushProgram(t, "pilot", "mine", "pilot-discovery", reporting("1.19.0"))
	own.pushProgram(t, "istioctl", "mine", "istioctl", reporting("1.19.0")+"# mine\n")
	for _, version := range []string{"1.19.0", "1.20.0"} {
		for _, image := range []string{"pilot", "proxyv2", "install-cni"} {
			releases.push(t, image, version, "amd64")
		}
		releases.pushProgram(t, "istioctl", version, "istioctl", reporting(version))
	}
	b := newPublished(t, &fakeEngine{answers: map[string]string{"image inspect": nodeID}}, releases.hub)
	kubernetes, _ := publishedCell(t, b)
	subject, err := imagesSubject(t, b, kindconfig.SubjectFile{Hub: own.hub, Tag: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	if control := p.releases["1.19.0"].istioctl; control.key() == p.subject.istioctl.key() {
		t.Errorf("the control's istioctl is the subject's: %s", control.name)
	}
}

func TestTwoArtifactsOfOneName(t *testing.T) {
	b, _, _ := newPlanner(t)
	p := b.planner(t.Context())
	one := p.keep(&artifact{name: "x", inputs: []string{"1"}}, nil)
	if again := p.keep(&artifact{name: "x", inputs: []string{"1"}}, nil); again != one || p.err != nil {
		t.Errorf("the same again: %v", p.err)
	}
	if p.keep(&artifact{name: "x", inputs: []string{"2"}}, nil); p.err == nil || !strings.Contains(p.err.Error(), "both named x") {
		t.Errorf("another one: %v", p.err)
	}
}

func TestPlanOfABuiltReleaseOnAPublishedNode(t *testing.T) {
	b, kubernetes, subject := newPlanner(t)
	b.options.NodeSource = SourcePublished
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	if p.cell.Source != SourceBuilt || p.cell.NodeSource != SourcePublished || p.archive == nil || !strings.HasPrefix(p.node.name, "published-node-") {
		t.Errorf("cell %+v, archive %v, node %s", p.cell, p.archive, p.node.name)
	}
	for _, a := range p.archive.needs {
		if strings.HasPrefix(a.name, "image-kube-") {
			t.Errorf("%s is loaded into a node that has its own", a.name)
		}
	}
}

func TestPlanOfReleasesAtTheEnds(t *testing.T) {
	for version, c := range map[string]struct {
		before, after string
		without       []string
	}{
		"1.19.0": {"", "1.20.0", []string{kindconfig.NeedsReleaseBefore}},
		"1.20.0": {"1.19.0", "1.20.1", nil},
	} {
		t.Run(version, func(t *testing.T) {
			b, kubernetes, _ := newPlanner(t)
			subject, err := Subject(t.Context(), b.versions, kindconfig.SubjectFile{Istio: version})
			if err != nil {
				t.Fatal(err)
			}
			p, err := b.plan(t.Context(), kubernetes, subject)
			if err != nil {
				t.Fatal(err)
			}
			cell := p.cell
			if cell.Before.Istio != c.before || cell.Before.Exists() != (c.before != "") || cell.After.Istio != c.after ||
				cell.Control.Istio != b.versions.Defaults.Control || len(cell.Without) != len(c.without) {
				t.Errorf("cell %+v", cell)
			}
			for _, label := range c.without {
				if cell.Without[label] == "" {
					t.Errorf("the cell does not say why it is without %s", label)
				}
			}
			seen := map[string]bool{}
			for _, image := range p.images {
				reference := image.inputs[1]
				if seen[reference] {
					t.Errorf("%s is planned twice", reference)
				}
				seen[reference] = true
			}
		})
	}
}
