package externalname

import (
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

// Its other column, without the flag, is in own.go: each of the two is the other's negative control.
var _ = Describe("With ENABLE_EXTERNAL_NAME_ALIAS, an ExternalName Service", spec.Since("1.20"), Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.ExternalName), func() {
	b := &bed{}
	evidence.BeforeAll(func(ctx SpecContext) { b.lay(ctx, mesh.Alias(), mesh.OfAlias, mesh.InjectedByAlias) })

	DescribeTable("is answered by the Service that it stands for, over mutual TLS:",
		func(ctx SpecContext, alias func() string, concrete string) {
			By("waiting until the client's proxy sends it where it sends the Service")
			b.awaitRoute(ctx, "80", b.host(concrete), b.cluster("80", concrete))
			b.awaitRoute(ctx, "80", alias(), b.cluster("80", concrete))

			By("measuring once")
			answers := b.ask(ctx, alias())
			Expect(answers).To(match.HaveStatus(http.StatusOK))
			Expect(answers).To(match.BeServedBy(b.serverOf(concrete)))
			Expect(answers).To(match.HaveSPIFFE(b.client.SPIFFE()))
		},
		Entry("an alias without ports", spec.ID("externalname.alias-without-ports"),
			Label(catalogue.Smoke), func() string { return b.host("without-ports") }, "strict"),
		Entry("an alias by its short name", spec.ID("externalname.alias-by-short-name"),
			func() string { return "without-ports" }, "strict"),
		Entry("an alias by name and namespace", spec.ID("externalname.alias-by-name-and-namespace"),
			func() string { return "without-ports." + b.namespace }, "strict"),
		Entry("an alias with an HTTP port", spec.ID("externalname.alias-with-http-port"),
			Label(catalogue.Smoke), func() string { return b.host("with-http-port") }, "strict"),
		Entry("an alias of a Service that takes plaintext too", spec.ID("externalname.alias-of-permissive-service"),
			func() string { return b.host("of-permissive") }, "other-server"),
		Entry("an alias of an alias", spec.ID("externalname.alias-of-alias"),
			func() string { return b.host("first") }, "other-server"),
		Entry("an alias in another namespace", spec.ID("externalname.alias-in-other-namespace"),
			func() string { return b.farHost("far") }, "other-server"),
	)

	It("is matched nowhere if it stands for itself in a loop, or for no full name", spec.ID("externalname.alias-loop-or-short-name-unmatched"), func(ctx SpecContext) {
		By("waiting until the client's proxy holds aliases of the same fixture")
		b.awaitRoute(ctx, "80", b.host("first"), b.cluster("80", "other-server"))
		aliases := []string{"loop-one", "loop-two", "short"}
		b.expectNoRoute(ctx, "80", b.host(aliases[0]), b.host(aliases[1]), b.host(aliases[2]))

		By("measuring once, at a Service's address: DNS gives none for these names")
		for _, alias := range aliases {
			// To a host that it does not know the proxy speaks plaintext, which the server does not take.
			Expect(b.attempt(ctx, b.host("apart"), echo.Header("Host", b.host(alias)))).To(match.HaveStatus(http.StatusServiceUnavailable))
		}
		Expect(b.ask(ctx, b.host("server"), echo.Header("Host", b.host("with-http-port")))).To(match.HaveStatus(http.StatusOK))
	})

	It("has neither cluster nor listener, whatever its ports", spec.ID("externalname.alias-no-cluster-no-listener"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("with-http-port"), b.cluster("80", "strict"))
		aliases := []string{b.host("without-ports"), b.host("with-http-port"), b.host("with-tcp-port"), b.host("with-https-port"), b.host("outside")}
		Consistently(ctx, b.clustersOf(aliases...), timing.Quiet, timing.Poll).Should(BeEmpty(), "clusters of aliases")
		Expect(b.clustersOf(b.host("strict"))(ctx)).To(HaveKeyWithValue(b.cluster("80", "strict"), "EDS"), "clusters of the Service")
		sidecar.ReplayDump(b.client, "dynamic_active_clusters")
		evidence.Config("clusters of aliases", "none")

		listeners, err := b.listeners(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(listeners).To(ContainElement("0.0.0.0_80"), "listeners of Services")
		Expect(listeners).NotTo(ContainElement("0.0.0.0_9999"), "listeners, among them that of alias with-tcp-port")
		sidecar.ReplayDump(b.client, "dynamic_listeners")
		evidence.Config("listener of alias with-tcp-port", "none")
	})

	It("leaves connections to its TCP port, but to other addresses, alone", spec.ID("externalname.alias-tcp-port-by-address"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("with-http-port"), b.cluster("80", "strict"))
		By("measuring once, by name")
		Expect(b.client.Measure(ctx, "tcp://"+b.host("with-tcp-port")+":9999", requests)).To(match.BeServedBy(b.other))
		By("measuring once, at an address that is neither its nor the Service's")
		Expect(b.client.Measure(ctx, "tcp://"+b.bystander.Pod.Status.PodIP+":9999", requests)).To(match.BeServedBy(b.bystander))
	})

	It("is one of the server names of a Service that has no address", spec.ID("externalname.alias-server-name-of-headless"), func(ctx SpecContext) {
		const cluster = "outbound|8443||addressless.example.com"
		Eventually(ctx, b.connections("0.0.0.0_8443"), timing.Push(), timing.Poll).Should(SatisfyAll(
			HaveKeyWithValue("addressless.example.com", Equal([]string{cluster})),
			HaveKeyWithValue(b.host("with-https-port"), Equal([]string{cluster})),
			HaveKeyWithValue("with-https-port."+b.namespace, Equal([]string{cluster})),
		), "clusters of the client's proxy for port 8443, by server name")
		sidecar.ReplayDump(b.client, "dynamic_listeners")
		evidence.Config("server name "+b.host("with-https-port")+" on port 8443", "%s", cluster)
	})

	It("follows the Service's DestinationRule and not one of its own", spec.ID("externalname.alias-destinationrule-of-service"), func(ctx SpecContext) {
		// Under either rule requests fail; and one push brings all that was applied before the pods were.
		b.awaitRoute(ctx, "80", b.host("alias-of-ruled"), b.cluster("80", "ruled"))
		b.awaitRoute(ctx, "80", b.host("ruled-alias"), b.cluster("80", "many-ports"))
		Expect(b.ask(ctx, b.host("ruled"))).To(match.HaveStatus(http.StatusServiceUnavailable))
		Expect(b.ask(ctx, b.host("alias-of-ruled"))).To(match.HaveStatus(http.StatusServiceUnavailable))
		answers := b.ask(ctx, b.host("ruled-alias"))
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.HaveSPIFFE(b.client.SPIFFE()))
	})

	It("meets a VirtualService that has it as host under its full name only", spec.ID("externalname.alias-virtualservice-by-full-name"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("routed"), b.cluster("80", "other-server"))
		Expect(b.ask(ctx, b.host("routed"))).To(match.BeServedBy(b.other))

		By("measuring once by the names that stay the Service's")
		for _, name := range []string{"routed", "routed." + b.namespace} {
			b.awaitRoute(ctx, "80", name, b.cluster("80", "server"))
			Expect(b.ask(ctx, name)).To(match.BeServedBy(b.server))
		}
		Expect(b.ask(ctx, b.host("server"))).To(match.BeServedBy(b.server))
	})

	It("meets no VirtualService on ports that are TCP or whose protocol is detected", spec.ID("externalname.alias-no-virtualservice-on-tcp"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("routed"), b.cluster("80", "other-server"))
		b.awaitRoute(ctx, "detected."+b.namespace+".svc.cluster.local:81", "*", b.cluster("81", "detected"))
		Expect(b.ask(ctx, b.host("routed-detected")+":81")).To(match.BeServedBy(b.bystander))
		Expect(b.client.Measure(ctx, "tcp://"+b.host("routed-tcp")+":9998", requests)).To(match.BeServedBy(b.other))
		Expect(b.listeners(ctx)).NotTo(ContainElement(BeElementOf("0.0.0.0_81", "0.0.0.0_9998")), "listeners, among them those of aliases")
	})

	It("stands for its Service as the destination of a VirtualService", spec.ID("externalname.alias-as-virtualservice-destination"), func(ctx SpecContext) {
		Expect(b.awaitDispatched(ctx, "80", "dispatched")).To(Equal([]string{b.cluster("80", "other-server")}),
			"clusters to which the client's proxy sends what a VirtualService dispatches to alias of-permissive")
		answers := b.ask(ctx, b.host("dispatched"))
		Expect(answers).To(match.BeServedBy(b.other))
		Expect(answers).To(match.HaveSPIFFE(b.client.SPIFFE()))
	})

	It("changes the Service's routes when it comes to stand for another, and when it goes", spec.ID("externalname.alias-changes-and-goes"), func(ctx SpecContext) {
		b.awaitRoute(ctx, "80", b.host("moved"), b.cluster("80", "strict"))
		Expect(b.ask(ctx, b.host("moved"))).To(match.BeServedBy(b.server))

		By("having it stand for another Service")
		point(ctx, b.namespace, "moved", b.host("other-server"))
		b.awaitRoute(ctx, "80", b.host("moved"), b.cluster("80", "other-server"))
		// By name DNS could still give the old address for a while; the proxy goes by the host.
		moved := echo.Header("Host", b.host("moved"))
		answers := b.ask(ctx, b.host("server"), moved)
		Expect(answers).To(match.BeServedBy(b.other))
		Expect(answers).To(match.HaveSPIFFE(b.client.SPIFFE()))

		By("deleting it")
		kube.Remove[corev1.Service](ctx, b.namespace, "moved")
		Eventually(ctx, routed(sidecar.Of(b.client), "80", b.host("moved")), timing.Push(), timing.Poll).Should(BeEmpty(), "clusters to which the client's proxy sends the deleted alias")
		b.expectNoRoute(ctx, "80", b.host("moved"))
		Expect(b.attempt(ctx, b.host("apart"), moved)).To(match.HaveStatus(http.StatusServiceUnavailable))
	})

	gatewayResolvesAliases(b)

	It("is matched if a Sidecar imports all of the Service's namespace, whatever its own", spec.ID("externalname.alias-sidecar-imports-namespace"), func(ctx SpecContext) {
		b.restrict(ctx, "own-namespace-only")
		b.awaitRoute(ctx, "80", b.farHost("far"), b.cluster("80", "other-server"))
		Expect(b.ask(ctx, b.farHost("far"))).To(match.BeServedBy(b.other))
	})

	It("is refused under REGISTRY_ONLY if what it stands for is not in the registry", spec.ID("externalname.alias-registry-only-refused"), func(ctx SpecContext) {
		By("measuring once, while unknown hosts are let through")
		Expect(b.ask(ctx, b.host("outside")+":8080")).To(match.BeServedBy(b.bystander))

		b.restrict(ctx, "registry-only")
		Expect(b.ask(ctx, b.host("outside")+":8080")).To(match.HaveStatus(http.StatusBadGateway))
		Expect(b.ask(ctx, b.host("with-http-port"))).To(match.HaveStatus(http.StatusOK))
		Expect(b.ask(ctx, b.farHost("far"))).To(match.HaveStatus(http.StatusOK))
	})

	It("is matched only if a Sidecar that names hosts names it beside the Service", spec.ID("externalname.alias-sidecar-names-hosts"), func(ctx SpecContext) {
		b.restrict(ctx, "named-hosts-only")
		b.name(ctx, "strict", "other-server", "of-permissive")
		b.awaitRoute(ctx, "80", b.host("of-permissive"), b.cluster("80", "other-server"))
		b.expectNoRoute(ctx, "80", b.host("with-http-port"), b.host("without-ports"), b.host("first"))
		// Clusters that had gone come back without endpoints, which are asked for after them.
		for service, workload := range map[string]*echo.Workload{"other-server": b.other, "strict": b.server} {
			b.awaitResolved(ctx, b.cluster("80", service), workload.Pod.Status.PodIP+":8080")
		}
		Expect(b.ask(ctx, b.host("of-permissive"))).To(match.BeServedBy(b.other))
		Expect(b.ask(ctx, b.host("with-http-port"))).To(match.HaveStatus(http.StatusBadGateway))
		Expect(b.ask(ctx, b.host("strict"))).To(match.BeServedBy(b.server))
	})

	It("is matched as soon as a Sidecar comes to name it", spec.ID("externalname.alias-sidecar-names-it-later"), func(ctx SpecContext) {
		b.restrict(ctx, "named-hosts-only")
		b.name(ctx, "strict")
		b.awaitRoute(ctx, "80", b.host("strict"), b.cluster("80", "strict"))
		b.expectNoRoute(ctx, "80", b.host("with-http-port"))

		By("naming it, and a Service of another port by whose cluster the change is seen to arrive")
		b.name(ctx, "with-http-port", "detected")
		Eventually(ctx, b.clustersOf(b.host("detected")), timing.Push(), timing.Poll).ShouldNot(BeEmpty(), "clusters of Service detected")
		// The routes of a push come right after its clusters.
		Eventually(ctx, routed(sidecar.Of(b.client), "80", b.host("with-http-port")), timing.Moment(), timing.Poll).Should(
			Equal([]string{b.cluster("80", "strict")}), "clusters to which the client's proxy sends an alias that its Sidecar has come to name")
		Expect(b.ask(ctx, b.host("with-http-port"))).To(match.BeServedBy(b.server))
	})
})
