package gatewayapi

import (
	"slices"
	"testing"

	"sigs.k8s.io/gateway-api/conformance/tests"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEveryTestRunsInOneLane(t *testing.T) {
	all, err := lanes()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, l := range all {
		for _, name := range l.tests {
			seen[name]++
		}
		for _, name := range l.quiet {
			if seen[name] == 0 {
				t.Errorf("lane %s calls %s quiet, but does not run it", l.name, name)
			}
		}
	}
	for _, test := range tests.ConformanceTests {
		if seen[test.ShortName] != 1 {
			t.Errorf("%s runs in %d lanes", test.ShortName, seen[test.ShortName])
		}
	}
	if len(seen) != len(tests.ConformanceTests) || len(seen) != 57 {
		t.Errorf("%d tests in lanes, upstream has %d, the pinned version 57", len(seen), len(tests.ConformanceTests))
	}
}

func TestRowsFollowUpstreamsProfiles(t *testing.T) {
	want := map[string]string{
		"HTTPRouteMatching":                       catalogue.GatewayAPIHTTP,
		"HTTPRouteRequestMultipleMirrors":         catalogue.GatewayAPIHTTP,
		"GatewayInvalidTLSConfiguration":          catalogue.GatewayAPIHTTP,
		"TLSRouteSimpleSameNamespace":             catalogue.GatewayAPITLS,
		"MeshTrafficSplit":                        catalogue.GatewayAPIMesh,
		"MeshFrontendHostname":                    catalogue.GatewayAPIMesh,
		"HTTPRouteBackendProtocolH2C":             catalogue.GatewayAPIBeyondProfiles,
		"GatewayWithAttachedRoutesWithPort8080":   catalogue.GatewayAPIBeyondProfiles,
		"HTTPRouteDisallowedKind":                 catalogue.GatewayAPIBeyondProfiles,
		"HTTPRouteInvalidCrossNamespaceParentRef": catalogue.GatewayAPIHTTP,
	}
	count := map[string]int{}
	for _, test := range tests.ConformanceTests {
		row := rowOf(test)
		count[row]++
		if wanted, listed := want[test.ShortName]; listed && row != wanted {
			t.Errorf("%s is in row %s, want %s", test.ShortName, row, wanted)
		}
	}
	// 29 core and 12 extended tests of the HTTP profile; of the TLS profile's 10, eight are HTTP's too.
	if count[catalogue.GatewayAPIHTTP] != 41 || count[catalogue.GatewayAPITLS] != 2 || count[catalogue.GatewayAPIMesh] != 6 {
		t.Errorf("rows hold %v", count)
	}
}

func TestSmokeHasATestOfEachRow(t *testing.T) {
	labelled := map[string]int{}
	for _, test := range tests.ConformanceTests {
		if labels := labelsOf(test); slices.Contains(labels, catalogue.Smoke) {
			labelled[labels[0]]++
		} else if len(labels) != 1 {
			t.Errorf("%s has the labels %v", test.ShortName, labels)
		}
	}
	for _, row := range []string{
		catalogue.GatewayAPIHTTP, catalogue.GatewayAPITLS, catalogue.GatewayAPIMesh, catalogue.GatewayAPIBeyondProfiles,
	} {
		if labelled[row] == 0 {
			t.Errorf("no test of row %s has the label %s", row, catalogue.Smoke)
		}
	}
}

func TestAccess(t *testing.T) {
	gateways := lane{tests: []string{"a"}, infra: true}
	mixed := lane{tests: []string{"a", "b"}, quiet: []string{"a"}}
	for _, c := range []struct {
		lane lane
		test string
		want access
	}{{gateways, "a", together}, {mixed, "a", alone}, {mixed, "b", elsewhere}} {
		if got := c.lane.access(c.test); got != c.want {
			t.Errorf("access(%s) = %d, want %d", c.test, got, c.want)
		}
	}
}

func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		tests          []string
		gateways, mesh bool
	}{
		"gateways": {[]string{"HTTPRouteMatching"}, true, false},
		"mesh":     {[]string{"MeshBasic", "MeshPorts"}, false, true},
		"both":     {[]string{"MeshBasic", "TLSRouteSimpleSameNamespace"}, true, true},
	} {
		if gateways, mesh := (lane{tests: c.tests}).needs(); gateways != c.gateways || mesh != c.mesh {
			t.Errorf("%s: needs gateways %v, mesh %v", name, gateways, mesh)
		}
	}
}
