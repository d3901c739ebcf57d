package gatewaydeploy

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// echoPort is the HTTP port that the echo container itself listens on.
const echoPort = 8080

// inbound reads the filter chains through which a workload's sidecar lets requests in.
func inbound(workload *echo.Workload) func(context.Context) ([]envoy.Chain, error) {
	held := proxy.Of(kube.Shared(), workload.Namespace, workload.Pod.Name)
	return func(ctx context.Context) ([]envoy.Chain, error) { return held.Chains(ctx, "virtualInbound") }
}

// measure sends requests from one workload to another, once, and records what came back.
func measure(ctx context.Context, from, to *echo.Workload) echo.Answers {
	GinkgoHelper()
	answers, err := from.Send(ctx, to.URL("/"), requests)
	Expect(err).NotTo(HaveOccurred())
	from.Replay(to.URL("/"), requests)
	evidence.Traffic(from.Name+"."+from.Namespace+" to "+to.Name+"."+to.Namespace, "%s", answers)
	return answers
}

var _ = Describe("Mutual TLS", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployMeshSmoke), func() {
	var mesh map[string]*echo.Workload
	var outsider *echo.Workload

	BeforeAll(func(ctx SpecContext) {
		inside := kube.NewNamespace(ctx, "mesh-mtls", kube.Injected)
		outside := kube.NewNamespace(ctx, "mesh-outside")
		kube.Apply(ctx, inside, "gatewaydeploy/strict.yaml")
		mesh = echo.Deploy(ctx, inside, "client", "server", "other-server")
		outsider = echo.Deploy(ctx, outside, "client")["client"]
	})

	It("carries requests under STRICT and shows the server who calls", func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS")
		Eventually(ctx, inbound(mesh["server"]), timing.Push, timing.Poll).Should(match.TakeOnlyTLS(echoPort))

		By("measuring once")
		answers := measure(ctx, mesh["client"], mesh["server"])
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["server"]))
		Expect(answers).To(match.HaveSPIFFE(mesh["client"].SPIFFE()))
		evidence.Traffic("caller as the server saw it", "%s", answers.All[0].Client())
	})

	It("refuses plaintext under STRICT", func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS")
		Eventually(ctx, inbound(mesh["server"]), timing.Push, timing.Poll).Should(match.TakeOnlyTLS(echoPort))

		By("measuring once, from a pod without a sidecar")
		Expect(measure(ctx, outsider, mesh["server"])).To(match.BeRefused())
	})

	It("lets plaintext through where a workload is PERMISSIVE, without an identity", func(ctx SpecContext) {
		By("waiting until the other server's proxy differs from its namespace's")
		Eventually(ctx, inbound(mesh["server"]), timing.Push, timing.Poll).Should(match.TakeOnlyTLS(echoPort))
		Eventually(ctx, inbound(mesh["other-server"]), timing.Push, timing.Poll).ShouldNot(match.TakeOnlyTLS(echoPort))

		By("measuring once, from a pod without a sidecar")
		answers := measure(ctx, outsider, mesh["other-server"])
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["other-server"]))
		Expect(answers).To(match.HaveSPIFFE(""))
	})
})
