package reports

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

// changed is what a comparison shows below the two runs.
func changed(shown string) string {
	_, below, _ := strings.Cut(shown, "\n\n")
	return below
}

func TestDiffOfTwoBuilds(t *testing.T) {
	before, after := cleanRun(), cleanRun()
	after.Cell.Istio, after.Cell.Kubernetes, after.Cell.Source, after.Subject = "1.20.0-acme.3", "1.28.0", SourcePublished, acme()
	after.Installation = &Installation{Installer: "helm", Values: "sha256:89ab", Node: "kindest/node:v1.28.0"}
	changes, err := Diff(before, after)
	if err != nil || len(changes) > 0 {
		t.Fatalf("%v, %+v", err, changes)
	}
	var out bytes.Buffer
	if err := WriteDiff(&out, before, after, changes); err != nil {
		t.Fatal(err)
	}
	want := `- Istio 1.20.0 (built), on Kubernetes 1.28.15 with upstream Envoy 1.40.0
  pilot ` + digest('a') + `
  proxyv2 ` + digest('c') + `
+ Acme Mesh 3, version 1.20.0-acme.3, taken for 1.20, on Kubernetes 1.28.0 with upstream Envoy 1.40.0
  pilot sha256:0123
  istioctl sha256:4567
  installed by helm
  installation values sha256:89ab
  node image kindest/node:v1.28.0

Every spec came out alike.
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestDiff(t *testing.T) {
	before, after := cleanRun(), fail(cleanRun(), "gatewaydeploy.managed.ready", "no address came\nExpected")
	before.Specs = slices.DeleteFunc(before.Specs, func(s Spec) bool { return s.ID == "invariants.restarts" })
	after.Specs = slices.DeleteFunc(after.Specs, func(s Spec) bool { return s.ID == "tcpmetadata.labels" })
	changes, err := Diff(before, after)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteDiff(&out, before, after, changes); err != nil {
		t.Fatal(err)
	}
	want := `gatewaydeploy.managed.ready
  - passed
  + failed  no address came
invariants.restarts
  - no such spec
  + passed
tcpmetadata.labels
  - exempt  Upstream Envoy has no istio.metadata_exchange filter
  + no such spec
`
	if got := changed(out.String()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestDiffShowsRepairsFirst(t *testing.T) {
	after := fail(repairedRun(), "gatewayapi.http.HTTPRouteMatching", "another backend responded")
	changes, err := Diff(cleanRun(), after)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteDiff(&out, cleanRun(), after, changes); err != nil {
		t.Fatal(err)
	}
	want := `gatewayapi.mesh.MeshFrontendHostname
  - known defect  A route by a service's host name does not apply in the consumer's namespace
  + passed  repaired by this build; releases >=1.20.0 <=1.30.3 fail it: A route by a service's host name does not apply` +
		` in the consumer's namespace
gatewayapi.http.HTTPRouteMatching
  - passed
  + failed  another backend responded
invariants.restarts
  - passed
  + exempt  The product restarts istiod by itself.
`
	if got := changed(out.String()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestDiffOfUndecidedRuns(t *testing.T) {
	changes, err := Diff(cleanRun(), fail(undecidedRun(), "invariants.restarts", "istiod restarted"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, change := range changes {
		got[change.ID] = change.Undecided()
	}
	want := map[string]bool{"gatewaydeploy.managed.ready": true, "gatewaydeploy.mesh-smoke.strict": true,
		"invariants.restarts": false}
	if !maps.Equal(got, want) {
		t.Errorf("undecided: %v, want %v", got, want)
	}
	if same, err := Diff(undecidedRun(), undecidedRun()); err != nil || len(same) != 2 || !same[0].Undecided() {
		t.Errorf("two runs that did not decide the same specs: %+v, %v", same, err)
	}
}

func TestDiffOfEqualRuns(t *testing.T) {
	changes, err := Diff(cleanRun(), cleanRun())
	var out bytes.Buffer
	if writeErr := WriteDiff(&out, cleanRun(), cleanRun(), changes); err != nil || writeErr != nil || len(changes) > 0 || changed(out.String()) != "Every spec came out alike.\n" {
		t.Errorf("%+v, %v, %v, %q", changes, err, writeErr, out.String())
	}
	_, err = Diff(cleanRun(), cellOf(cleanRun(), "1.25.4"))
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "Istio 1.20.0 (built) on 1.28.15, Istio 1.20.0 (built) on 1.25.4") {
		t.Errorf("another Kubernetes: %v", err)
	}
}
