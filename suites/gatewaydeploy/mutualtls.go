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
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
)

// measure sends requests from one workload to another, once, and records what came back.
func measure(ctx context.Context, from, to *echo.Workload) echo.Answers {
	GinkgoHelper()
	return from.Measure(ctx, to.URL("/"), requests)
}

var _ = Describe("Mutual TLS", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployMeshSmoke, catalogue.Smoke), func() {
	var mesh map[string]*echo.Workload
	var outsider *echo.Workload

	evidence.BeforeAll(func(ctx SpecContext) {
		inside := kube.NewNamespace(ctx, "mesh-mtls", kube.Injected)
		outside := kube.NewNamespace(ctx, "mesh-outside")
		kube.Apply(ctx, inside, "gatewaydeploy/strict.yaml")
		mesh = echo.Deploy(ctx, inside, "client", "server", "other-server")
		outsider = echo.Deploy(ctx, outside, "client")["client"]
	})

	It("carries requests under STRICT and shows the server who calls", spec.ID("gatewaydeploy.mesh-smoke.strict-shows-identity"), func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS and the client's knows where it is")
		sidecar.AwaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echo.Port))
		sidecar.AwaitReach(ctx, mesh["client"], mesh["server"])

		By("measuring once")
		answers := measure(ctx, mesh["client"], mesh["server"])
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["server"]))
		Expect(answers).To(match.HaveSPIFFE(mesh["client"].SPIFFE()))
		evidence.Traffic("caller as the server saw it", "%s", answers.All[0].Client())
	})

	It("refuses plaintext under STRICT", spec.ID("gatewaydeploy.mesh-smoke.strict-refuses-plaintext"), func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS")
		sidecar.AwaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echo.Port))

		By("measuring once, from a pod without a sidecar")
		Expect(outsider.Measure(ctx, mesh["server"].DirectURL("/"), requests)).To(match.BeCutOff())
	})

	It("lets plaintext through where a workload is PERMISSIVE, without an identity", spec.ID("gatewaydeploy.mesh-smoke.permissive-takes-plaintext"), func(ctx SpecContext) {
		By("waiting until the other server's proxy differs from its namespace's")
		sidecar.AwaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echo.Port))
		sidecar.AwaitInbound(ctx, mesh["other-server"], Not(match.TakeOnlyTLS(echo.Port)))

		By("measuring once, from a pod without a sidecar")
		answers := outsider.Measure(ctx, mesh["other-server"].DirectURL("/"), requests)
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["other-server"]))
		Expect(answers).To(match.HaveSPIFFE(""))
	})
})
