package reports

import (
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestMergeRefuses(t *testing.T) {
	changed := func(version string, change func(r *Results)) Outcome {
		r := cellOf(cleanRun(), version)
		change(r)
		return outcomeOf(r)
	}
	same := func(*Results) {}
	published := func(sum byte) func(r *Results) {
		return func(r *Results) {
			r.Cell.Source = SourcePublished
			for i := range r.Images {
				if r.Images[i].Role == RoleSubject {
					r.Images[i].Source, r.Images[i].Digest = SourcePublished, digest(sum)
				}
			}
		}
	}
	hub := func(r *Results) {
		for i := range r.Images {
			r.Images[i].Reference = strings.Replace(r.Images[i].Reference, "mesh-conformance/pilot", "example.com/pilot", 1)
		}
	}
	build := func(part, origin, sum string, source Source) func(r *Results) {
		return func(r *Results) {
			r.Cell.Source = source
			r.Subject = &kindconfig.Subject{Parts: []kindconfig.Part{{Name: part, Origin: kindconfig.Origin(origin), From: "x", Digest: sum}}}
		}
	}
	installed := func(by, values, node string) func(r *Results) {
		return func(r *Results) { r.Installation = &Installation{Installer: by, Values: values, Node: node} }
	}
	for _, c := range []struct {
		name string
		a, b Outcome
		want string
	}{
		{"nothing but what never ran", Outcome{Kubernetes: "1.25.4", State: CellNotRun}, Outcome{Kubernetes: "1.26.13", State: CellLeftOut}, "no results to merge"},
		{"the same cell twice", changed("1.25.4", same), changed("1.25.9", same), "two results of the same cell, Kubernetes 1.25 (cells/1.25 and cells/1.25)"},
		{"other versions of the subject", changed("1.25.4", same), changed("1.26.13", func(r *Results) { r.Cell.Istio = "1.20.1" }),
			"different subjects: Istio 1.20.0 (built) in cells/1.25, Istio 1.20.1 (built) in cells/1.26"},
		{"other sources", changed("1.25.4", same), changed("1.26.13", published('9')), "different subjects: Istio 1.20.0 (built)"},
		{"other proxies", changed("1.25.4", same), changed("1.26.13", func(r *Results) { r.Cell.Proxy.Version = "1.41.0" }), "different proxies: upstream Envoy 1.40.0"},
		{"other hubs", changed("1.25.4", same), changed("1.26.13", hub), "different hubs: mesh-conformance/pilot:1.20.0 in cells/1.25, example.com/pilot:1.20.0"},
		{"a tag that moved", changed("1.25.4", published('8')), changed("1.26.13", published('9')), "different subjects: mesh-conformance/pilot:1.20.0@sha256:8888"},
		{"other filters", changed("1.25.4", same), outcomeOf(cellOf(filteredRun(), "1.26.13")), "different selections of specs: every spec in cells/1.25, gatewayapi.tls"},
		{"other installers", changed("1.25.4", installed("helm", "", "a")), changed("1.26.13", installed("istioctl", "", "b")),
			"different installations: helm without own values in cells/1.25, istioctl without own values in cells/1.26"},
		{"other values", changed("1.25.4", installed("helm", "sha256:1", "a")), changed("1.26.13", installed("helm", "sha256:2", "a")),
			"different installations: helm with values sha256:1"},
		{"other charts", changed("1.25.4", build("charts", "release", "sha256:1", SourceBuilt)),
			changed("1.26.13", build("charts", "release", "sha256:2", SourceBuilt)), "different charts digests: x@sha256:1"},
		{"other programs", changed("1.25.4", build("istioctl", "file", "sha256:1", SourceBuilt)),
			changed("1.26.13", build("istioctl", "file", "sha256:2", SourceBuilt)), "different istioctl digests"},
		{"other trees", changed("1.25.4", build("source", "source", "sha256:1", SourceBuilt)),
			changed("1.26.13", build("source", "source", "sha256:2", SourceBuilt)), "different source digests"},
		{"no version", changed("1.25.4", same), Outcome{Name: "dir", State: CellAborted}, `the cell's Kubernetes version is "" (dir)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Merge(matrixRun(), []Outcome{c.a, c.b})
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line, a usage error with %q", err, c.want)
			}
		})
	}
}

func TestMergeOfOneInstallation(t *testing.T) {
	a, b := cellOf(cleanRun(), "1.25.4"), cellOf(cleanRun(), "1.26.13")
	for i, r := range []*Results{a, b} {
		r.Installation = &Installation{Installer: "helm", Node: "node:" + r.Cell.Kubernetes}
		// Two machines built it.
		r.Subject = &kindconfig.Subject{Parts: []kindconfig.Part{
			{Name: kindconfig.PartIstioctl, Origin: kindconfig.OriginRelease, Digest: digest("12"[i])},
		}}
	}
	m, err := Merge(matrixRun(), []Outcome{outcomeOf(a), outcomeOf(b)})
	if err != nil {
		t.Fatal(err)
	}
	if m.Installation == nil || m.Installation.Installer != "helm" || m.Installation.Node != "" || a.Installation.Node == "" {
		t.Errorf("the matrix has %+v, the cell %+v", m.Installation, a.Installation)
	}
}

func TestMergeAccepts(t *testing.T) {
	again := cellOf(cleanRun(), "1.26.13")
	for i := range again.Images {
		if again.Images[i].Name == "pilot" {
			again.Images[i].Digest = digest('d')
		}
	}
	m, err := Merge(matrixRun(), []Outcome{outcomeOf(again), outcomeOf(cellOf(cleanRun(), "1.25.4"))})
	if err != nil || m.Verdict() != nil {
		t.Fatalf("a subject that was built twice: %v, %v", err, m.Verdict())
	}
	if want := "The cells built the subject apart from each other: the digests of pilot differ."; !slices.Equal(m.Notes, []string{want}) {
		t.Errorf("notes %q, want %q", m.Notes, want)
	}
	if got := m.minors(); !slices.Equal(got, []string{"1.25", "1.26"}) {
		t.Errorf("columns %v", got)
	}
	if len(m.differences()) > 0 || slices.ContainsFunc(m.Rows, func(r MatrixRow) bool { return r.Differs }) {
		t.Errorf("equal cells differ: %+v", m.differences())
	}
	if len(m.Images)+len(m.Cells[0].Images) != len(again.Images) || len(m.Cells[0].Images) != 2 {
		t.Errorf("%d shared images, %d of a cell; pilot and node are the cell's", len(m.Images), len(m.Cells[0].Images))
	}
}

// What the lists exempt on some versions is no difference, and is named with the versions.
func TestMergeOfAnExemptionByVersion(t *testing.T) {
	exempt := cellOf(cleanRun(), "1.25.4")
	at := slices.IndexFunc(exempt.Specs, func(s Spec) bool { return s.State == StatePassed })
	exempt.Specs[at].State, exempt.Specs[at].Reason = StateExempt, "needs Kubernetes 1.26"
	exempt.Tally()
	m, err := Merge(matrixRun(), []Outcome{outcomeOf(exempt), outcomeOf(cellOf(cleanRun(), "1.26.13")), outcomeOf(cellOf(cleanRun(), "1.27.4"))})
	if err != nil || m.Verdict() != nil {
		t.Fatalf("%v, %v", err, m.Verdict())
	}
	if found := m.differences(); len(found) > 0 {
		t.Errorf("an exemption by version counts as a difference: %+v", found)
	}
	found := m.listed()
	last := found[len(found)-1]
	if last.ID != exempt.Specs[at].ID || last.State != StateExempt || last.Message != "On 1.25 only: needs Kubernetes 1.26" {
		t.Errorf("listed last: %+v", last)
	}
	for _, spec := range m.common(StatePassed, StateExempt) {
		if spec.ID == last.ID {
			t.Errorf("%s is said to have come out %s everywhere", spec.ID, spec.State)
		}
	}
}

func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{State: StateFailed, Failure: "no address after 10s\nExpected\n  x"}, "no address after 10s"},
		{Spec{State: StateFlaky, Failure: "Expected\n  <int>: 1\nto equal\n  <int>: 2"}, "Expected <int>: 1 to equal <int>: 2"},
		{Spec{State: StateFailed}, "no message was recorded"},
		{Spec{State: StateKnownDefect, Reason: "a\nreason", Failure: "x"}, "a reason"},
		{Spec{State: StatePassed, Failure: "x"}, ""},
	} {
		if got := headline(c.spec); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.spec.State, c.spec.Failure, got, c.want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	sorted := []string{"1.9", "1.25", "1.25.4", "1.25.16", "1.28", "2.0"}
	for i := range sorted {
		for j := range sorted {
			if got := compareVersions(sorted[i], sorted[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("compareVersions(%s, %s) = %d", sorted[i], sorted[j], got)
			}
		}
	}
}
