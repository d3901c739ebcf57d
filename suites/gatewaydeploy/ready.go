package gatewaydeploy

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// host is the name that the Gateway and HTTPRoute of gatewaydeploy/https.yaml serve.
const host = "www.example.com"

var _ = Describe("A managed gateway", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployManaged), func() {
	var (
		ns      string
		server  *echo.Workload
		visitor echo.Visitor
		issued  certificate.Certificate
	)

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "gateway-ready")
		var err error
		issued, err = certificate.Issue(host)
		Expect(err).NotTo(HaveOccurred())
		Expect(issued.Store(ctx, kube.Shared().Client, ns, "web-certificate")).To(Succeed())
		kube.Apply(ctx, ns, "gatewaydeploy/https.yaml")
		server = echo.Deploy(ctx, ns, "server")["server"]
		visitor = echo.Visitor{Address: gateway.AwaitProgrammed(ctx, ns, "web", gatewayv1.IPAddressType), Roots: issued.Roots}
	})

	// awaitRoute waits until the gateway's proxy holds the route on a port and its address answers:
	// load balancer and node take a moment of their own.
	awaitRoute := func(ctx SpecContext, listener, url string) {
		GinkgoHelper()
		held, err := gateway.ProxyOf(ctx, ns, "web")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, held.Chains, timing.Push(), timing.Poll).WithArguments(listener).ShouldNot(BeEmpty(), "gateway's proxy, listener %s", listener)
		Eventually(ctx, held.VirtualHost, timing.Push(), timing.Poll).WithArguments(host).ShouldNot(BeNil(), "gateway's proxy has no route for %s", host)
		Eventually(ctx, visitor.Send, timing.Push(), timing.Poll).WithArguments(url, 1).Should(match.HaveStatus(200), "%s at %s", url, visitor.Address)
		evidence.Replay("%s", visitor.Command(url))
	}

	It("is reported accepted and programmed, with the address of its own LoadBalancer Service", spec.ID("gatewaydeploy.managed.programmed-with-address"), Label(catalogue.Smoke), func(ctx SpecContext) {
		found, err := gateway.Service(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.Spec.Type).To(Equal(corev1.ServiceTypeLoadBalancer))
		Expect(found.Status.LoadBalancer.Ingress).To(HaveExactElements(HaveField("IP", visitor.Address)))
		Expect(found.Spec.Ports).To(HaveExactElements(
			HaveField("Name", "status-port"), HaveField("Name", "http"), HaveField("Name", "https"),
		))
		evidence.Look(ns, "gateway", "web")
		evidence.Look(ns, "service", found.Name)
		evidence.API("Gateway web", "Accepted and Programmed at its current generation, address %s of Service %s", visitor.Address, found.Name)
	})

	It("answers HTTP requests of its route's host, and no others", spec.ID("gatewaydeploy.managed.http-by-host"), Label(catalogue.Smoke), func(ctx SpecContext) {
		By("waiting until its proxy holds the route")
		awaitRoute(ctx, "0.0.0.0_80", "http://"+host+"/")

		By("measuring once")
		answers, err := visitor.Send(ctx, "http://"+host+"/", requests)
		Expect(err).NotTo(HaveOccurred())
		evidence.Traffic("HTTP for "+host, "%s", answers)
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(server))

		By("asking for a host that no route has")
		const strange = "http://other.example.com/"
		evidence.Replay("%s", visitor.Command(strange))
		strangers, err := visitor.Send(ctx, strange, requests)
		Expect(err).NotTo(HaveOccurred())
		evidence.Traffic("HTTP for other.example.com", "%s", strangers)
		Expect(strangers).To(match.HaveStatus(404))
	})

	It("answers HTTPS requests with the certificate of the listener's Secret", spec.ID("gatewaydeploy.managed.https-by-certificate"), func(ctx SpecContext) {
		By("waiting until its proxy holds the listener")
		awaitRoute(ctx, "0.0.0.0_443", "https://"+host+"/")

		By("measuring once")
		answers, err := visitor.Send(ctx, "https://"+host+"/", requests)
		Expect(err).NotTo(HaveOccurred())
		evidence.Traffic("HTTPS for "+host, "%s, presenting %x", answers, issued.Leaf.SerialNumber)
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(server))
		Expect(answers).To(match.Present(issued.Leaf))

		By("asking without trust in its issuer")
		doubters, err := echo.Visitor{Address: visitor.Address}.Send(ctx, "https://"+host+"/", 1)
		Expect(err).NotTo(HaveOccurred())
		evidence.Traffic("HTTPS without trust in the issuer", "%s", doubters)
		Expect(doubters).To(match.FailWith("unknown authority"))

		By("asking for a name that the listener does not have")
		const strange = "https://other.example.com/"
		evidence.Replay("%s", visitor.Command(strange))
		strangers, err := visitor.Send(ctx, strange, 1)
		Expect(err).NotTo(HaveOccurred())
		evidence.Traffic("HTTPS for other.example.com", "%s", strangers)
		Expect(strangers).To(match.BeCutOff())
	})
})
