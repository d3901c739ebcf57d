// Package wasmplugin proves what WasmPlugins promise: modules from several places, for requests and for
// connections, where they are wanted and nowhere else, and what happens where a module cannot be had.
package wasmplugin

import (
	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
)

// Both types share one deployment: what costs is that two proxies compile the module. The first spec
// bears that cost, and the last the namespace's end.
var _ = Describe("A WasmPlugin", Ordered, ContinueOnFailure, Label(catalogue.WasmPlugin), func() {
	m := &mesh{}

	evidence.BeforeAll(func(ctx SpecContext) {
		*m = build(ctx, "wasm", "wasmplugin/http.yaml", "wasmplugin/order.yaml", "wasmplugin/match.yaml",
			"wasmplugin/fail-open.yaml", "wasmplugin/network.yaml")
	})

	Describe("of type HTTP", func() { ofRequests(m) })
	Describe("of type NETWORK", func() { ofConnections(m) })
})
