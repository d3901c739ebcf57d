package reports

import (
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"mesh-conformance/kindconfig"
)

// promises stands in for the catalogue, which only the suite may import.
func promises() []Row {
	return []Row{
		{ID: "gatewayapi/http", Title: "Gateway API v1.0: HTTP profile, core and extended"},
		{ID: "gatewayapi/tls", Title: "Gateway API v1.0: TLS profile"},
		{ID: "gatewayapi/mesh", Title: "Gateway API v1.0: mesh (GAMMA) tests"},
		{ID: "gatewayapi/beyond-profiles", Title: "Gateway API v1.0: tests that belong to no profile"},
		{ID: "gatewaydeploy/managed", Title: "A Gateway deploys and manages its own proxy"},
		{ID: "gatewaydeploy/mesh-smoke", Title: "The mesh carries mutual TLS and enforces authorization"},
		{ID: "targetref/telemetry", Title: "Telemetry attaches to a Gateway by targetRef"},
		{ID: "mirroring", Title: "Traffic is mirrored to several destinations"},
		{ID: "tcpmetadata", Title: "TCP metadata exchange: discovery and its ALPN switch"},
		{ID: "invariants", Title: "No crash, no rejected configuration, no unexplained restart"},
	}
}

// emptyRun is a run whose cluster never came up.
func emptyRun() *Results {
	r := &Results{
		Schema: Schema,
		Run: Run{ID: "20231124-101500-1.28.15", Started: time.Date(2023, 11, 24, 10, 15, 0, 0, time.UTC), Seconds: 171.6, Procs: 3,
			Command: "make conformance KUBERNETES=1.28.15"},
		Cell: Cell{Kubernetes: "1.28.15", Istio: "1.20.0", Source: SourceBuilt, Proxy: Proxy{Flavour: FlavourUpstream, Version: "1.40.0"}},
		Images: []Image{
			{Name: "echo-basic", Reference: "mesh-conformance/echo-basic:1.1.0", Digest: digest('e'), Source: SourceBuilt, Role: RoleInstrument},
			{Name: "node", Reference: "mesh-conformance/node:1.28.15", Digest: digest('b'), Source: SourceBuilt, Role: RoleKubernetes},
			{Name: "pilot", Reference: "mesh-conformance/pilot:1.20.0", Digest: digest('a'), Source: SourceBuilt, Role: RoleSubject},
			{Name: "proxyv2", Reference: "mesh-conformance/proxyv2:1.20.0", Digest: digest('c'), Source: SourceBuilt, Role: RoleSubject},
		},
		Rows:     promises(),
		Engine:   "docker 20.10.24 (private)",
		Problems: []string{"the cluster did not come up: kubeadm init failed: port 6443 is in use"},
	}
	r.Tally()
	return r
}

func digest(c byte) string { return "sha256:" + strings.Repeat(string(c), 64) }

// cleanRun has every one of upstream's tests, two of them known defects, and some specs of our own.
func cleanRun() *Results {
	r := emptyRun()
	r.Problems = nil
	clock := map[int]float64{1: 38.4, 2: 38.9, 3: 39.2}
	for i, test := range tests.ConformanceTests {
		row, process := rowOf(test)
		took := 1.05 + float64(i*7%11)*0.11
		if i%9 == 0 {
			took += 4.4
		}
		spec := Spec{
			ID: strings.ReplaceAll(row, "/", ".") + "." + test.ShortName, Row: row, Name: test.ShortName + ": " + strings.TrimSuffix(test.Description, "."), State: StatePassed,
			Level: LevelTraffic, Attempts: 1, Process: process,
			Evidence: []Evidence{
				{LevelTraffic, "upstream's assertions", "all held, each answer three times in a row"},
				{LevelAPI, "conditions", "Accepted=True Programmed=True ResolvedRefs=True at generation 1"},
			},
			Replay: []string{
				"export KUBECONFIG=_output/latest/kubeconfig",
				"kubectl apply -f " + fmt.Sprint(strings.Join(test.Manifests, ",")),
				"kubectl -n gateway-conformance-infra get gateways,httproutes",
			},
		}
		switch test.ShortName {
		case "MeshFrontendHostname":
			took = 30.6
			spec.State, spec.Reason, spec.Link = StateKnownDefect, "A route by a service's host name does not apply in the consumer's namespace", "https://github.com/istio/istio/issues/44702"
			spec.Failure = "mesh-frontend-hostname.go:52: Response expectation failed for 30s\n  expected response header X-Header-Set: set\n  got none"
			spec.Diagnostics = "diagnostics/gatewayapi_mesh_MeshFrontendHostname"
		case "GatewayStaticAddresses":
			spec.State, spec.Reason, spec.Link = StateKnownDefect, "An address that cannot be used is not reported in the Gateway's status", "https://github.com/istio/istio/issues/47467"
			spec.Failure = "gateway-static-addresses.go:71: condition AddressNotUsable not found"
		}
		spec.Start, spec.Seconds = clock[process], took
		clock[process] += took + 0.1
		r.Specs = append(r.Specs, spec)
	}
	for i, own := range []Spec{
		{ID: "gatewaydeploy.managed.ready", Row: "gatewaydeploy/managed", Name: "A managed gateway becomes ready and gets an address", Level: LevelTraffic},
		{ID: "gatewaydeploy.managed.drift", Row: "gatewaydeploy/managed", Name: "A managed gateway repairs a drifted Service", Level: LevelAPI},
		{ID: "gatewaydeploy.mesh-smoke.strict", Row: "gatewaydeploy/mesh-smoke", Name: "STRICT mutual TLS shows the server the client's SPIFFE id", Level: LevelTraffic},
		{ID: "tcpmetadata.labels", Row: "tcpmetadata", Name: "TCP metrics carry the peer's workload labels", State: StateExempt,
			Reason: "Upstream Envoy has no istio.metadata_exchange filter", Link: "https://istio.io/latest/docs/ops/integrations/"},
		{ID: "invariants.restarts", Row: "invariants", Name: "No istiod restarted or panicked", Level: LevelAPI},
		{ID: "invariants.rejected", Row: "invariants", Name: "No connected proxy rejected a resource", Level: LevelConfig},
	} {
		if own.State == "" {
			own.State, own.Attempts, own.Process = StatePassed, 1, 1+i%3
			own.Start, own.Seconds = clock[own.Process], 2.5+float64(i)
			own.Evidence = []Evidence{{own.Level, "seen", "1000 × 200, x-forwarded-client-cert: URI=spiffe://cluster.local/ns/a/sa/client"}}
			clock[own.Process] += own.Seconds
		}
		r.Specs = append(r.Specs, own)
	}
	r.Tally()
	return r
}

// troubledRun adds one of each thing that can go wrong, with text that tries to break out of every format.
func troubledRun() *Results {
	r := cleanRun()
	for i := range r.Specs {
		spec := &r.Specs[i]
		switch spec.ID {
		case "gatewayapi.http.HTTPRouteRequestMirror":
			spec.State = StateFailed
			spec.Failure = "Timed out after 30.001s.\nThe mirror's log\n\x1b[31mExpected\x1b[0m\n    <string>: no request to </pre><script>alert(1)</script> & \"quotes\"\nto contain substring\n    <string>: Echoing back request made to /mirror to client\n\n## not a heading | not a cell `x` \x00"
			spec.Location = "suites/gatewayapi/conformance_test.go:88"
			spec.Diagnostics = "diagnostics/gatewayapi_http_HTTPRouteRequestMirror"
		case "gatewaydeploy.managed.drift":
			spec.State, spec.Attempts = StateFlaky, 2
			spec.Failure = "Expected\n    <int32>: 443\nto equal\n    <int32>: 80"
			spec.Location = "suites/gatewaydeploy/managed.go:61"
		case "gatewaydeploy.mesh-smoke.strict":
			leaveUndecided(spec)
			spec.Diagnostics = "diagnostics/gatewaydeploy_mesh-smoke_strict"
		case "invariants.rejected":
			spec.State, spec.Seconds, spec.Process, spec.Attempts, spec.Evidence = StateNotRun, 0, 0, 0, nil
			spec.Reason = "the run was interrupted"
		}
	}
	r.Problems = []string{"known defect gatewayapi.http.HTTPRouteMatching passed: take it off the list"}
	r.Tally()
	return r
}

// leaveUndecided makes a spec one whose wait ran out while the machine was starved.
func leaveUndecided(spec *Spec) {
	spec.State, spec.Doubt = StateUndecided, DoubtStarved
	spec.Reason = "time ran out after 30s while the machine was starved: 45 threads per core ran or waited for a core " +
		"(bound 20)"
	spec.Failure = "no <certificate> of the client was seen (timed out after 30.001s)\n\nTimed out after 30.001s.\nno " +
		"<certificate> of the client was seen"
	spec.Location = "suites/gatewaydeploy/smoke.go:40"
	spec.Lag = &Lag{Late: 31.25, Worst: 1620, Runnable: 45.3, Subject: 0.213, Busiest: "envoy"}
	spec.Waited = 12.5
}

// repairedRun is one of a source tree that repairs a known defect, with lists of a vendor.
func repairedRun() *Results {
	r := cleanRun()
	r.Subject = &kindconfig.Subject{
		Name: "Istio from tree", Version: "1.20.0", Base: "1.20.0", Origin: kindconfig.OriginSource, From: "1.19.0", To: "1.20.1",
		Asked: kindconfig.SubjectFile{Schema: 1, Source: "/src/tree"},
		Parts: []kindconfig.Part{{Name: kindconfig.PartSource, Origin: kindconfig.OriginSource, From: "/src/tree", Digest: digest('1')}},
	}
	r.Installation = &Installation{
		Installer: "helm", Values: digest('2'), Node: "mesh-conformance/node:1.28.15",
		Lists: []string{"lists/acme <b>.yaml (1 known defect)"},
	}
	for i := range r.Specs {
		spec := &r.Specs[i]
		switch spec.ID {
		case "gatewayapi.mesh.MeshFrontendHostname":
			spec.State, spec.Failure, spec.Diagnostics = StatePassed, "", ""
			spec.Defect = &Defect{Affected: ">=1.20.0 <=1.30.3", Severity: "traffic", Repaired: RepairedHere}
		case "gatewayapi.beyond-profiles.GatewayStaticAddresses":
			spec.List = "lists/acme <b>.yaml"
			spec.Defect = &Defect{Affected: ">=1.20.0 <1.21.0", Fixed: "1.21.0", Severity: "observability"}
		case "gatewaydeploy.managed.ready":
			spec.Reason, spec.Link = "A managed gateway had no address.", "https://github.com/istio/istio/issues/1"
			spec.Defect = &Defect{Affected: ">=1.18.0 <1.19.3", Fixed: "1.19.3", Severity: "traffic", Repaired: RepairedSince,
				Release: "1.19.3", Last: "1.18.0"}
		case "gatewaydeploy.managed.drift":
			spec.Reason, spec.List = "A drifted Service stayed.", "lists/acme <b>.yaml"
			spec.Defect = &Defect{Affected: ">=1.18.0 <=1.19.0", Severity: "tooling", Repaired: RepairedSince, Last: "1.19.0"}
		case "invariants.restarts":
			spec.State, spec.Reason, spec.List = StateExempt, "The product restarts istiod by itself.", "lists/acme <b>.yaml"
			spec.Evidence, spec.Level = nil, ""
		}
	}
	r.Tally()
	return r
}

// undecidedRun is one on a starved machine: nothing failed, and two specs are undecided.
func undecidedRun() *Results {
	r := cleanRun()
	r.Run.Machine = &Machine{Late: 12.4, Worst: 2300, Runnable: 22.8, Narrowest: 1, Widest: 5}
	r.Causes = []string{"kube-apiserver restarted at 12:03:04 (exit code 137): 1 spec that failed afterwards is undecided"}
	for i := range r.Specs {
		spec := &r.Specs[i]
		spec.Lag = &Lag{Late: 4.5, Worst: 95, Runnable: 11.2, Subject: 0.18, Busiest: "pilot-discovery"}
		switch spec.ID {
		case "gatewaydeploy.mesh-smoke.strict":
			leaveUndecided(spec)
		case "gatewaydeploy.managed.ready":
			spec.State, spec.Doubt = StateUndecided, DoubtRestart
			spec.Reason = "kube-apiserver restarted at 12:03:04 (exit code 137), before the spec failed"
			spec.Failure = "Get \"https://127.0.0.1:40443/api/v1/nodes\": EOF"
		}
	}
	r.Tally()
	return r
}

// filteredRun is what a developer runs: one spec, and it passed.
func filteredRun() *Results {
	r := cleanRun()
	r.Run.Filter, r.Run.Command = "gatewayapi.tls", "make conformance LABEL_FILTER=gatewayapi.tls"
	for i := range r.Specs {
		if spec := &r.Specs[i]; spec.Row != "gatewayapi/tls" {
			*spec = Spec{ID: spec.ID, Row: spec.Row, Name: spec.Name, State: StateNotRun, Reason: "the filter left it out"}
		}
	}
	r.Tally()
	return r
}

func rowOf(test suite.ConformanceTest) (row string, process int) {
	http := suite.HTTPConformanceProfile.CoreFeatures.Union(suite.HTTPConformanceProfile.ExtendedFeatures)
	switch {
	case strings.HasPrefix(test.ShortName, "Mesh"):
		return "gatewayapi/mesh", 3
	case http.HasAll(test.Features...):
		if strings.HasPrefix(test.ShortName, "Gateway") {
			return "gatewayapi/http", 2
		}
		return "gatewayapi/http", 1
	case suite.TLSConformanceProfile.CoreFeatures.HasAll(test.Features...):
		return "gatewayapi/tls", 2
	}
	return "gatewayapi/beyond-profiles", 2
}

// withState changes the outcome of specs by the last segment of their ids.
func withState(r *Results, state State, names ...string) *Results {
	for i := range r.Specs {
		for _, name := range names {
			if strings.HasSuffix(r.Specs[i].ID, "."+name) {
				r.Specs[i].State = state
			}
		}
	}
	r.Tally()
	return r
}
