package externalname

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// own is the cluster that an ExternalName Service has of its own where it is no alias.
func own(port, host string) string { return "outbound|" + port + "||" + host }

// awaitOwn waits until the client's proxy sends a host's requests to the cluster that it has of its own,
// and has resolved that to the address of the Service it names.
func (b *bed) awaitOwn(ctx context.Context, host, named string) {
	GinkgoHelper()
	found, err := kube.Getter[corev1.Service](b.namespace, named)(ctx)
	Expect(err).NotTo(HaveOccurred())
	b.awaitRoute(ctx, "80", host, own("80", host))
	b.awaitResolved(ctx, own("80", host), found.Spec.ClusterIP+":80")
}

// What 1.20 promises by default is 1.19's behaviour: "there is no behavioral changes by default". From 1.21 on,
// ENABLE_EXTERNAL_NAME_ALIAS is on by default.
var _ = Describe("By default, an ExternalName Service", spec.Until("1.21"), Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.ExternalName), func() {
	b := &bed{}
	evidence.BeforeAll(func(ctx SpecContext) { b.lay(ctx, mesh.Dataplane(), kube.Injected) })

	DescribeTable("is a service of its own, plaintext to the address that DNS gives for what it names:",
		func(ctx SpecContext, host func() string) {
			By("waiting until the client's proxy has resolved the name")
			b.awaitOwn(ctx, host(), "other-server")
			Expect(b.clustersOf(host())(ctx)).To(Equal(map[string]string{own("80", host()): "STRICT_DNS"}), "its clusters")

			By("measuring once")
			answers := b.ask(ctx, host())
			Expect(answers).To(match.HaveStatus(http.StatusOK))
			Expect(answers).To(match.BeServedBy(b.other))
			Expect(answers).To(match.HaveSPIFFE(""))
		},
		Entry("one with an HTTP port", spec.ID("externalname.own-http-port"),
			func() string { return b.host("of-permissive") }),
		Entry("one that names another", spec.ID("externalname.own-names-another"),
			func() string { return b.host("first") }),
		Entry("one in another namespace", spec.ID("externalname.own-in-other-namespace"),
			func() string { return b.farHost("far") }),
	)

	It("does not reach a Service that takes mutual TLS only", spec.ID("externalname.own-strict-service-unreached"), func(ctx SpecContext) {
		b.awaitOwn(ctx, b.host("with-http-port"), "strict")
		Expect(b.attempt(ctx, b.host("with-http-port"))).To(match.HaveStatus(http.StatusServiceUnavailable))
		Expect(b.ask(ctx, b.host("server"))).To(match.HaveStatus(http.StatusOK))
	})

	It("is unknown to proxies if it has no ports", spec.ID("externalname.own-without-ports-unknown"), func(ctx SpecContext) {
		b.awaitOwn(ctx, b.host("with-http-port"), "strict")
		b.expectNoRoute(ctx, "80", b.host("without-ports"), "without-ports."+b.namespace, "without-ports")
		Expect(b.clustersOf(b.host("without-ports"))(ctx)).To(BeEmpty(), "its clusters")
		// Let through as an unknown host, in plaintext.
		Expect(b.attempt(ctx, b.host("without-ports"))).To(match.HaveStatus(http.StatusServiceUnavailable))
	})

	It("has a cluster without endpoints if it names, in a loop, itself", spec.ID("externalname.own-loop-without-endpoints"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("loop-one"), own("80", b.host("loop-one")))
		Expect(sidecar.Of(b.client).EndpointsOf(ctx, own("80", b.host("loop-one")))).To(BeEmpty())
		Expect(b.ask(ctx, b.host("server"), echo.Header("Host", b.host("loop-one")))).To(match.HaveStatus(http.StatusServiceUnavailable))
	})

	It("takes all connections to its TCP port, whatever their address", spec.ID("externalname.own-tcp-port-any-address"), func(ctx SpecContext) {
		Eventually(ctx, b.connections("0.0.0.0_9999"), timing.Push(), timing.Poll).Should(
			Equal(map[string][]string{"": {b.cluster("9999", "with-tcp-port")}}), "clusters of the client's proxy for port 9999")
		sidecar.ReplayDump(b.client, "dynamic_listeners")
		evidence.Config("listener 0.0.0.0_9999", "%s", b.cluster("9999", "with-tcp-port"))
		Expect(b.client.Measure(ctx, "tcp://"+b.bystander.Pod.Status.PodIP+":9999", requests)).To(match.BeServedBy(b.other))
	})

	It("is a server name with a cluster of its own", spec.ID("externalname.own-server-name"), func(ctx SpecContext) {
		Eventually(ctx, b.connections("0.0.0.0_8443"), timing.Push(), timing.Poll).Should(SatisfyAll(
			HaveKeyWithValue("addressless.example.com", Equal([]string{own("8443", "addressless.example.com")})),
			HaveKeyWithValue(b.host("with-https-port"), Equal([]string{b.cluster("8443", "with-https-port")})),
		), "clusters of the client's proxy for port 8443, by server name")
		sidecar.ReplayDump(b.client, "dynamic_listeners")
		evidence.Config("server name "+b.host("with-https-port")+" on port 8443", "%s", b.cluster("8443", "with-https-port"))
	})

	It("follows a DestinationRule of its own and not the one of the Service it names", spec.ID("externalname.own-destinationrule"), func(ctx SpecContext) {
		b.awaitOwn(ctx, b.host("ruled-alias"), "many-ports")
		b.awaitOwn(ctx, b.host("alias-of-ruled"), "ruled")
		Expect(b.ask(ctx, b.host("ruled"))).To(match.HaveStatus(http.StatusServiceUnavailable))
		Expect(b.ask(ctx, b.host("ruled-alias"))).To(match.HaveStatus(http.StatusServiceUnavailable))
		answers := b.ask(ctx, b.host("alias-of-ruled"))
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.HaveSPIFFE(""))
	})

	It("meets a VirtualService that has it as host under all its names", spec.ID("externalname.own-virtualservice-by-all-names"), func(ctx SpecContext) {
		for _, name := range []string{b.host("routed"), "routed." + b.namespace, "routed"} {
			b.awaitRoute(ctx, "80", name, b.cluster("80", "other-server"))
			answers := b.ask(ctx, name)
			Expect(answers).To(match.BeServedBy(b.other))
			Expect(answers).To(match.HaveSPIFFE(b.client.SPIFFE()))
		}
		Expect(b.ask(ctx, b.host("server"))).To(match.BeServedBy(b.server))
	})

	It("meets VirtualServices on ports that are TCP or whose protocol is detected", spec.ID("externalname.own-virtualservice-on-tcp"), func(ctx SpecContext) {
		// By name its requests would go to the address of the Service it names, whose listener is nearer.
		elsewhere := b.bystander.Pod.Status.PodIP
		b.awaitRoute(ctx, "81", b.host("routed-detected"), b.cluster("80", "other-server"))
		Expect(b.ask(ctx, elsewhere+":81", echo.Header("Host", b.host("routed-detected")))).To(match.BeServedBy(b.other))

		Eventually(ctx, b.connections("0.0.0.0_9998"), timing.Push(), timing.Poll).Should(
			Equal(map[string][]string{"": {b.cluster("9090", "server")}}), "clusters of the client's proxy for port 9998")
		Expect(b.client.Measure(ctx, "tcp://"+elsewhere+":9998", requests)).To(match.BeServedBy(b.server))
	})

	It("keeps its own cluster as the destination of a VirtualService", spec.ID("externalname.own-as-virtualservice-destination"), func(ctx SpecContext) {
		clusters := b.awaitDispatched(ctx, "80", "dispatched")
		Expect(clusters).To(Equal([]string{b.cluster("80", "of-permissive")}),
			"the client's proxy sends what a VirtualService dispatches to ExternalName of-permissive to %q", clusters)
		Expect(b.ask(ctx, b.host("dispatched"))).To(match.HaveSPIFFE(""))
	})

	It("is reached through a VirtualService if it names what no registry has", spec.ID("externalname.own-virtualservice-unregistered"), func(ctx SpecContext) {
		clusters := b.awaitDispatched(ctx, "8080", "dispatched-outside")
		answers := b.ask(ctx, b.host("dispatched-outside")+":8080")
		held, err := sidecar.Of(b.client).Clusters(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(lacking(clusters, held)).To(BeEmpty(),
			"clusters of the route for dispatched-outside that the client's proxy does not have, beside %s", answers)
		Expect(answers).To(match.BeServedBy(b.bystander))
	})

	It("resolves to another Service when its externalName changes", spec.ID("externalname.own-changes-endpoint"), func(ctx SpecContext) {
		b.awaitOwn(ctx, b.host("moved"), "strict")
		moved := echo.Header("Host", b.host("moved"))
		Expect(b.attempt(ctx, b.host("server"), moved)).To(match.HaveStatus(http.StatusServiceUnavailable))

		By("having it name another Service")
		point(ctx, b.namespace, "moved", b.host("other-server"))
		b.awaitOwn(ctx, b.host("moved"), "other-server")
		Expect(b.ask(ctx, b.host("server"), moved)).To(match.BeServedBy(b.other))
	})

	gatewaySendsToExternalNames(b)

	It("is let through under REGISTRY_ONLY if it names what no registry has", spec.ID("externalname.own-registry-only-allowed"), func(ctx SpecContext) {
		b.restrict(ctx, "registry-only")
		b.awaitRoute(ctx, "8080", b.host("outside"), b.cluster("8080", "outside"))
		b.awaitResolved(ctx, b.cluster("8080", "outside"), b.bystander.Pod.Status.PodIP+":8080")
		Expect(b.ask(ctx, b.host("outside")+":8080")).To(match.BeServedBy(b.bystander))

		By("measuring once, a name of that server that is nobody's")
		Expect(b.ask(ctx, b.bystander.Pod.Status.PodIP+":8080")).To(match.HaveStatus(http.StatusBadGateway))
	})

	It("is unknown to proxies whose Sidecar does not import it", spec.ID("externalname.own-sidecar-does-not-import"), func(ctx SpecContext) {
		b.restrict(ctx, "own-namespace-only")
		b.awaitOwn(ctx, b.host("first"), "other-server")
		b.expectNoRoute(ctx, "80", b.farHost("far"))
		Expect(b.ask(ctx, b.farHost("far"))).To(match.HaveStatus(http.StatusBadGateway))
		Expect(b.ask(ctx, b.host("first"))).To(match.BeServedBy(b.other))
	})
})
