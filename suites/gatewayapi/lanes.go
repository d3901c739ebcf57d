// Package gatewayapi runs upstream's Gateway API conformance tests, one spec each, in lanes that do
// not disturb each other.
package gatewayapi

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"mesh-conformance/suites/internal/catalogue"
)

// lane is a list of tests that run one after the other; lanes run side by side.
type lane struct {
	name  string
	tests []string
	// infra says that the tests make, or look at, Gateways of the infra namespace.
	infra bool
	// quiet lists those of the tests that wait until every Gateway of the infra namespace is ready,
	// and so may not overlap with tests that make Gateways which never are.
	quiet []string
}

// ownGateways only touch Gateways that they make themselves (manifests of conformance/tests, module
// version v1.0.1-0.20231102234152-004e14bfe016).
var ownGateways = []string{
	"GatewayInvalidRouteKind", "GatewayInvalidTLSConfiguration", "GatewayModifyListeners", "GatewayObservedGenerationBump",
	"GatewayStaticAddresses", "GatewayWithAttachedRoutes", "GatewayWithAttachedRoutesWithPort8080", "GatewayClassObservedGenerationBump",
	"HTTPRouteDisallowedKind", "HTTPRouteHostnameIntersection", "HTTPRouteListenerHostnameMatching",
}

// meshRoutes attach routes to the Services echo-v1 and echo-v2, under names they share. The longest
// comes first: its two expectations are waited for to the end, since Istio does not meet them.
var meshRoutes = []string{"MeshFrontendHostname", "MeshConsumerRoute", "MeshFrontend", "MeshPorts"}

// mixed do not meet the routes of meshRoutes: a request to the Service echo, answered by either version,
// carries no expectation about response headers. The first two need the infra namespace quiet; the name
// of a TLSRoute of the first is also used by TLSRouteInvalidReferenceGrant.
var mixed = []string{"TLSRouteSimpleSameNamespace", "HTTPRouteObservedGenerationBump", "MeshBasic", "MeshTrafficSplit"}

// smoke names upstream's tests that have the label smoke: the cheapest of each row that send traffic. They run in two
// lanes, because each lane waits for base resources of its own.
var smoke = []string{
	"HTTPRouteSimpleSameNamespace", "HTTPRouteMatching", "HTTPRouteCrossNamespace", "HTTPRouteRequestHeaderModifier",
	"HTTPRouteRedirectHostAndStatus", "HTTPRouteBackendProtocolH2C", "HTTPRouteRedirectPortAndScheme",
	"TLSRouteSimpleSameNamespace", "MeshBasic", "MeshTrafficSplit",
}

// access is how a test of the lane uses the infra namespace.
func (l lane) access(test string) access {
	switch {
	case slices.Contains(l.quiet, test):
		return alone
	case l.infra:
		return together
	}
	return elsewhere
}

// needs says which of upstream's base resources the lane's tests use.
func (l lane) needs() (gateways, mesh bool) {
	for _, name := range l.tests {
		test, _ := find(name)
		if slices.Contains(test.Features, suite.SupportMesh) {
			mesh = true
		} else {
			gateways = true
		}
	}
	return gateways, mesh
}

// access to the infra namespace.
type access int

const (
	elsewhere access = iota
	together
	alone
)

// lanes spreads all of upstream's tests: what no list above names attaches to the base Gateways, or
// shares ReferenceGrants with such a test, and runs in the first lane in upstream's order.
func lanes() ([]lane, error) {
	named := sets.New(slices.Concat(ownGateways, meshRoutes, mixed)...)
	known := sets.New[string]()
	var base []string
	for _, test := range tests.ConformanceTests {
		known.Insert(test.ShortName)
		if !named.Has(test.ShortName) {
			base = append(base, test.ShortName)
		}
	}
	if unknown := named.Union(sets.New(smoke...)).Difference(known); unknown.Len() > 0 {
		return nil, fmt.Errorf("lanes name tests that upstream does not have: %v", sets.List(unknown))
	}
	slices.Sort(base)
	return []lane{
		{name: "base Gateways", tests: base, infra: true},
		{name: "own Gateways", tests: ownGateways, infra: true},
		{name: "mesh routes", tests: meshRoutes},
		{name: "quiet infra and plain mesh", tests: mixed, quiet: mixed[:2]},
	}, nil
}

// find gives upstream's test of a short name.
func find(name string) (suite.ConformanceTest, bool) {
	for _, test := range tests.ConformanceTests {
		if test.ShortName == name {
			return test, true
		}
	}
	return suite.ConformanceTest{}, false
}

// labelsOf returns the labels of a test: its row, and smoke where the set has it.
func labelsOf(test suite.ConformanceTest) []string {
	labels := []string{rowOf(test)}
	if slices.Contains(smoke, test.ShortName) {
		labels = append(labels, catalogue.Smoke)
	}
	return labels
}

// rowOf is the label of the catalogue row of a test: by the profile that knows all the features the
// test declares, HTTP before TLS, the mesh's apart.
func rowOf(test suite.ConformanceTest) string {
	http := suite.HTTPConformanceProfile.CoreFeatures.Union(suite.HTTPConformanceProfile.ExtendedFeatures)
	switch {
	case slices.Contains(test.Features, suite.SupportMesh):
		return catalogue.GatewayAPIMesh
	case http.HasAll(test.Features...):
		return catalogue.GatewayAPIHTTP
	case suite.TLSConformanceProfile.CoreFeatures.HasAll(test.Features...):
		return catalogue.GatewayAPITLS
	}
	return catalogue.GatewayAPIBeyondProfiles
}
