package filterorder

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
)

// What a proxy runs with a plugin of each phase and type, a policy of each action and a RequestAuthentication in
// its namespace: fixtures/filterorder/{plugins,policies}.yaml. Plugins of phase UNSPECIFIED have a spec of
// their own.
var (
	listInboundHTTP = []string{
		"istio.metadata_exchange",
		"envoy.filters.http.rbac CUSTOM (custom)",
		"envoy.filters.http.ext_authz",
		"wasm http-authn",
		"envoy.filters.http.jwt_authn",
		"istio_authn",
		"wasm http-authz",
		"envoy.filters.http.rbac AUDIT (audit)",
		"envoy.filters.http.rbac DENY (deny)",
		"envoy.filters.http.rbac ALLOW (allow)",
		"wasm http-stats",
		"envoy.filters.http.grpc_stats",
		"envoy.filters.http.fault",
		"envoy.filters.http.cors",
		"istio.stats",
		"envoy.filters.http.router",
	}
	listGatewayHTTP = []string{
		"istio.metadata_exchange",
		"envoy.filters.http.rbac CUSTOM (custom)",
		"envoy.filters.http.ext_authz",
		"wasm http-authn",
		"envoy.filters.http.jwt_authn",
		"istio_authn",
		"wasm http-authz",
		"envoy.filters.http.rbac AUDIT (audit)",
		"envoy.filters.http.rbac DENY (deny)",
		"envoy.filters.http.rbac ALLOW (allow)",
		"wasm http-stats",
		"envoy.filters.http.grpc_stats",
		"istio.alpn",
		"envoy.filters.http.fault",
		"envoy.filters.http.cors",
		"istio.stats",
		"envoy.filters.http.router",
	}
	listOutboundHTTP = []string{
		"istio.metadata_exchange",
		"wasm http-authn",
		"wasm http-authz",
		"wasm http-stats",
		"envoy.filters.http.grpc_stats",
		"istio.alpn",
		"envoy.filters.http.fault",
		"envoy.filters.http.cors",
		"istio.stats",
		"envoy.filters.http.router",
	}
	listInboundTCP = []string{
		"istio.metadata_exchange",
		"envoy.filters.network.rbac CUSTOM (custom)",
		"envoy.filters.network.ext_authz",
		"wasm network-authn",
		"wasm network-authz",
		"envoy.filters.network.rbac AUDIT (audit)",
		"envoy.filters.network.rbac DENY (deny)",
		"envoy.filters.network.rbac ALLOW (allow)",
		"wasm network-stats",
		"istio.stats",
		"envoy.filters.network.tcp_proxy",
	}
	// Without mutual TLS nobody is there to exchange metadata with.
	listGatewayTCP  = listInboundTCP[1:]
	listOutboundTCP = []string{
		"wasm network-authn",
		"wasm network-authz",
		"wasm network-stats",
		"istio.stats",
		"envoy.filters.network.tcp_proxy",
	}
	listHTTPConnection = []string{
		"wasm network-authn",
		"wasm network-authz",
		"wasm network-stats",
		"envoy.filters.network.http_connection_manager",
	}
	listInboundHTTPConnection = append([]string{"istio.metadata_exchange"}, listHTTPConnection...)
)

// everything is a list and the plugin of phase UNSPECIFIED that it leaves out, in any order.
func everything(list []string, plugin string) types.GomegaMatcher {
	return hold(append([]string{plugin}, list...))
}

// Both in one namespace: two would have the address of their services twice in the mesh, and istiod forgets an
// address with the first of its ServiceEntries that goes (istio 1.20,
// pilot/pkg/serviceregistry/serviceentry/store.go, deleteInstances).
var _ = Describe("The plane of the release's default flags", Ordered, ContinueOnFailure, Label(catalogue.FilterOrder), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "order-lists", mesh.OfStock)
		kube.Apply(ctx, ns, "filterorder/services.yaml")
	})

	Describe("without plugins and policies", func() { withNothing(&ns) })
	Describe("with plugins of every phase and policies of every kind", func() { withEverything(&ns) })
})

// withNothing are the lists of a namespace that has neither.
func withNothing(ns *string) {
	var plain given

	evidence.BeforeAll(func(ctx SpecContext) {
		plain = await(ctx, *ns, present(places...))
	})

	http := func(own ...string) []string {
		filters := append([]string{"istio.metadata_exchange", "envoy.filters.http.grpc_stats"}, own...)
		return append(filters, "envoy.filters.http.fault", "envoy.filters.http.cors", "istio.stats", "envoy.filters.http.router")
	}
	tcp := func(own ...string) []string {
		return append(own, "istio.stats", "envoy.filters.network.tcp_proxy")
	}
	const manager = "envoy.filters.network.http_connection_manager"
	DescribeTable("only Istio's own filters are there:",
		func(at place, want []string) {
			Expect(names(plain.must(at))).To(run(want), "filters of %s, plane stock", at.name)
		},
		Entry("plain inbound HTTP", spec.ID("filterorder.plain-inbound-http"), inboundHTTP, http()),
		Entry("plain connections of inbound HTTP", spec.ID("filterorder.plain-inbound-http-connections"),
			inboundHTTPConnection, []string{"istio.metadata_exchange", manager}),
		Entry("plain inbound TCP", spec.ID("filterorder.plain-inbound-tcp"),
			inboundTCP, tcp("istio.metadata_exchange")),
		Entry("plain inbound HTTP to a port of no service", spec.ID("filterorder.plain-passthrough-http"),
			passthroughHTTP, http()),
		Entry("plain inbound TCP to a port of no service", spec.ID("filterorder.plain-passthrough-tcp"),
			passthroughTCP, tcp("istio.metadata_exchange")),
		Entry("plain outbound HTTP", spec.ID("filterorder.plain-outbound-http"), outboundHTTP, http("istio.alpn")),
		Entry("plain connections of outbound HTTP", spec.ID("filterorder.plain-outbound-http-connections"),
			outboundHTTPConnection, []string{manager}),
		Entry("plain outbound TCP", spec.ID("filterorder.plain-outbound-tcp"), outboundTCP, tcp()),
		Entry("plain gateway HTTP", spec.ID("filterorder.plain-gateway-http"), gatewayHTTP, http("istio.alpn")),
		Entry("plain connections of gateway HTTP", spec.ID("filterorder.plain-gateway-http-connections"),
			gatewayHTTPConnection, []string{manager}),
		Entry("plain gateway HTTPS", spec.ID("filterorder.plain-gateway-https"), gatewayHTTPS, http("istio.alpn")),
		Entry("plain connections of gateway HTTPS", spec.ID("filterorder.plain-gateway-https-connections"),
			gatewayHTTPSConnection, []string{manager}),
		Entry("plain gateway TCP", spec.ID("filterorder.plain-gateway-tcp"), gatewayTCP, tcp()),
		Entry("plain gateway TLS of mode ISTIO_MUTUAL", spec.ID("filterorder.plain-gateway-istio-mutual"),
			gatewayMutual, tcp("istio.metadata_exchange")),
	)
}

// withEverything are the lists once plugins and policies have come to a namespace.
func withEverything(ns *string) {
	var full given

	evidence.BeforeAll(func(ctx SpecContext) {
		kube.Apply(ctx, *ns, "filterorder/policies.yaml")
		kube.Apply(ctx, *ns, "filterorder/plugins.yaml")
		// Between them the two inbound ports show every object.
		want := present(places...)
		want[inboundHTTP] = everything(listInboundHTTP, "wasm http-unspecified")
		want[inboundTCP] = everything(listInboundTCP, "wasm network-unspecified")
		full = await(ctx, *ns, want)
	})

	DescribeTable("filters have the order of the release, to the last:",
		func(at place, want []string) {
			Expect(names(withoutPhase(full.must(at), wasmUnspecified))).To(run(want), "filters of %s, plane stock", at.name)
		},
		Entry("inbound HTTP", spec.ID("filterorder.full-inbound-http"), inboundHTTP, listInboundHTTP),
		Entry("connections of inbound HTTP", spec.ID("filterorder.full-inbound-http-connections"),
			inboundHTTPConnection, listInboundHTTPConnection),
		Entry("inbound TCP", spec.ID("filterorder.full-inbound-tcp"), inboundTCP, listInboundTCP),
		Entry("inbound HTTP to a port of no service", spec.ID("filterorder.full-passthrough-http"),
			passthroughHTTP, listInboundHTTP),
		Entry("inbound TCP to a port of no service", spec.ID("filterorder.full-passthrough-tcp"),
			passthroughTCP, listInboundTCP),
		Entry("outbound HTTP", spec.ID("filterorder.full-outbound-http"), outboundHTTP, listOutboundHTTP),
		Entry("connections of outbound HTTP", spec.ID("filterorder.full-outbound-http-connections"),
			outboundHTTPConnection, listHTTPConnection),
		Entry("outbound TCP", spec.ID("filterorder.full-outbound-tcp"), outboundTCP, listOutboundTCP),
		Entry("gateway HTTP", spec.ID("filterorder.full-gateway-http"), gatewayHTTP, listGatewayHTTP),
		Entry("connections of gateway HTTP", spec.ID("filterorder.full-gateway-http-connections"),
			gatewayHTTPConnection, listHTTPConnection),
		Entry("gateway HTTPS", spec.ID("filterorder.full-gateway-https"), gatewayHTTPS, listGatewayHTTP),
		Entry("connections of gateway HTTPS", spec.ID("filterorder.full-gateway-https-connections"),
			gatewayHTTPSConnection, listHTTPConnection),
		Entry("gateway TCP", spec.ID("filterorder.full-gateway-tcp"), gatewayTCP, listGatewayTCP),
		Entry("gateway TLS of mode ISTIO_MUTUAL", spec.ID("filterorder.full-gateway-istio-mutual"),
			gatewayMutual, listInboundTCP),
	)

	It("no phase comes before another in one place and after it in another", spec.ID("filterorder.same-order-everywhere"), func() {
		var lists []list
		for _, at := range places {
			lists = append(lists, list{Place: at.name, Steps: full.must(at)})
		}
		found, compared := disagreements(lists)
		Expect(compared).To(BeNumerically(">", 0), "pairs of phases that stand in more than one list")
		evidence.Config("consistency", "%d pairs of phases compared over %d lists, %d disagree", compared, len(lists), len(found))
		Expect(found).To(BeEmpty(), "phases in different orders")
	})

	// broken names what breaks an order, place by place.
	broken := func(order []phase, without phase, in ...place) []string {
		GinkgoHelper()
		var found []string
		for _, at := range in {
			for _, breach := range breaches(withoutPhase(full.must(at), without), order) {
				found = append(found, at.name+": "+breach)
			}
		}
		return found
	}

	It("all places keep the order of the upgrade notes, unspecified plugins left aside", spec.ID("filterorder.upgrade-notes-order"), func() {
		Expect(broken(documented, wasmUnspecified, places...)).To(BeEmpty(), "breaches of the documented order, plane stock")
	})

	It("plugins of no stated phase come after those of every phase", spec.ID("filterorder.unspecified-after-every-phase"), func() {
		for _, at := range places {
			steps, err := full.at(at)
			Expect(err).NotTo(HaveOccurred())
			Expect(steps).To(ContainElement(HaveField("Phase", wasmUnspecified)), "filters of %s, plane stock", at.name)
		}
		Expect(broken(documented, stats, places...)).To(BeEmpty(), "breaches of the documented order, istio.stats left aside, plane stock")
	})

	DescribeTable("plugins of no stated phase come last of what the upgrade notes list:",
		func(in ...place) {
			Expect(broken(documented, "", in...)).To(BeEmpty(), "breaches of the documented order, plane stock")
		},
		Entry("HTTP plugins run after istio.stats", spec.ID("filterorder.http-plugins-after-stats"),
			inboundHTTP, passthroughHTTP, outboundHTTP, gatewayHTTP, gatewayHTTPS),
		Entry("network plugins run after istio.stats", spec.ID("filterorder.network-plugins-after-stats"),
			inboundTCP, passthroughTCP, outboundTCP, gatewayTCP, gatewayMutual),
		Entry("network plugins run last before HTTP", spec.ID("filterorder.network-plugins-last-before-http"),
			inboundHTTPConnection, outboundHTTPConnection, gatewayHTTPConnection, gatewayHTTPSConnection),
	)
}
