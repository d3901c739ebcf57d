// Package wasmplugin proves what WasmPlugins promise: modules from several places, for requests and for
// connections, where they are wanted and nowhere else, and what happens where a module cannot be had.
package wasmplugin

import (
	"crypto/x509"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// All share one deployment: what costs is that three proxies, of two sidecars and a gateway, start and compile
// the module. The first spec bears that cost, and the last the namespace's end.
var _ = Describe("A WasmPlugin", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.WasmPlugin), func() {
	m := &mesh{}
	var trusted *x509.CertPool

	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "wasm", kube.Injected)
		kube.Apply(ctx, ns, "echo/near.yaml")
		kube.Apply(ctx, ns, "echo/connections.yaml")
		trusted = certify(ctx, ns)
		*m = build(ctx, ns, "wasmplugin/http.yaml", "wasmplugin/order.yaml", "wasmplugin/match.yaml",
			"wasmplugin/fail-open.yaml", "wasmplugin/network.yaml", "wasmplugin/gateway.yaml")
	})

	Describe("of type HTTP", func() { ofRequests(m) })
	Describe("of type NETWORK", func() { ofConnections(m) })
	Describe("of type NETWORK at a gateway", func() { ofGateway(m, &trusted) })
})
