package reports

import (
	"reflect"
	"strings"
	"testing"

	"mesh-conformance/kindconfig"
)

// acme is a vendor's build, of which the releases around it are pinned in part.
func acme() *kindconfig.Subject {
	return &kindconfig.Subject{
		Name: "Acme Mesh 3", Version: "1.20.0-acme.3", Base: "1.20", Origin: kindconfig.OriginImages, From: "1.19.0",
		Asked: kindconfig.SubjectFile{Schema: 1, Name: "Acme Mesh 3", Hub: "docker.io/acme", Tag: "1.20.0-acme.3", Base: "1.20"},
		Parts: []kindconfig.Part{
			{Name: kindconfig.PartPilot, Origin: kindconfig.OriginImages, From: "docker.io/acme/pilot:1.20.0-acme.3", Digest: "sha256:0123"},
			{Name: kindconfig.PartIstioctl, Origin: kindconfig.OriginFile, From: "/bin/istioctl", Digest: "sha256:4567"},
			{Name: kindconfig.PartCharts, Origin: kindconfig.OriginImages, From: "carried by istioctl"},
		},
	}
}

// Every report has the build, its parts, and the file that repeats the run.
func TestReportsNameTheSubject(t *testing.T) {
	installation := &Installation{Installer: "helm", Values: "sha256:89ab", Node: "kindest/node:v1.28.0", Lists: []string{"acme.yaml (1 exemption)"}}
	results := &Results{Schema: Schema, Subject: acme(), Installation: installation}
	html, err := HTML(results)
	if err != nil {
		t.Fatal(err)
	}
	var properties []string
	for _, property := range junitProperties(results) {
		properties = append(properties, property.Name+"="+property.Value)
	}
	matrix := &Matrix{Schema: Schema, Subject: acme(), Installation: installation}
	for name, c := range map[string]struct {
		report string
		file   bool
	}{
		"report.html": {string(html), true},
		"report.md":   {string(Markdown(results)), true},
		"junit.xml":   {strings.Join(properties, "\n"), false},
		"matrix.md":   {string(matrix.Markdown()), true},
	} {
		wanted := []string{"Acme Mesh 3", "1.20.0-acme.3", "no release after 1.20.0 is pinned", "sha256:0123", "sha256:4567", "carried by istioctl",
			"helm", "sha256:89ab", "kindest/node:v1.28.0", "acme.yaml (1 exemption)"}
		if c.file {
			wanted = append(wanted, "taken for 1.20", "hub: docker.io/acme", "schema: 1", "base: &#34;1.20&#34;")
		}
		for _, want := range wanted {
			if !strings.Contains(c.report, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
}

func TestInstallationOf(t *testing.T) {
	job := &kindconfig.Job{
		Cell: kindconfig.Cell{Node: "kindest/node:v1.28.0", Values: "a: b\n"},
		Lists: &kindconfig.VendorLists{KnownDefectsFile: "d.yaml", KnownDefects: make([]kindconfig.KnownDefect, 2),
			ExemptionsFile: "e.yaml"},
	}
	got := InstallationOf(job)
	want := &Installation{
		Installer: "istioctl", Node: "kindest/node:v1.28.0", Lists: []string{"d.yaml (2 known defects)", "e.yaml (0 exemptions)"},
		Values: got.Values,
	}
	if !strings.HasPrefix(got.Values, "sha256:") || len(got.Values) != 71 {
		t.Errorf("values %q", got.Values)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	job.Cell.Values, job.Cell.Install = "a: c\n", "helm"
	if other := InstallationOf(job); other.Values == got.Values || other.Installer != "helm" {
		t.Errorf("other values are %+v", other)
	}
}

func TestResultsOfBeforeTheSubjectWasRecorded(t *testing.T) {
	if report := string(Markdown(&Results{Schema: Schema})); strings.Contains(report, "## Subject") {
		t.Errorf("a subject in %s", report)
	}
}

func TestReportsSayWhereABuildIsPlaced(t *testing.T) {
	for want, s := range map[string]kindconfig.Subject{
		"1.20.1":                          {Version: "1.20.1", Base: "1.20.1"},
		"1.20.1-acme, taken for 1.20.1":   {Version: "1.20.1-acme", Base: "1.20.1"},
		"v1, placed at 1.20.0 by VERSION": {Version: "v1", Base: "1.20.0", Placement: "placed at 1.20.0 by VERSION"},
	} {
		if got := placedAt(&s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
