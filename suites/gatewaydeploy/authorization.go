package gatewaydeploy

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
)

var _ = Describe("An AuthorizationPolicy", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployMeshSmoke), func() {
	const rbac = "envoy.filters.http.rbac"
	var mesh map[string]*echo.Workload

	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "mesh-authorization", kube.Injected)
		kube.Apply(ctx, ns, "gatewaydeploy/authorization.yaml")
		mesh = echo.Deploy(ctx, ns, "client", "neighbour", "server", "other-server")
	})

	// server has the ALLOW policy, other-server the DENY policy; both name the principal of client.
	DescribeTable("judges callers by their principal:",
		func(ctx SpecContext, from, to string, answered types.GomegaMatcher) {
			By("waiting until the server's proxy holds the policy and the caller's knows where it is")
			sidecar.AwaitInbound(ctx, mesh[to], match.HaveHTTPFilter(echo.Port, rbac))
			sidecar.AwaitReach(ctx, mesh[from], mesh[to])

			By("measuring once")
			Expect(measure(ctx, mesh[from], mesh[to])).To(answered)
		},
		Entry("ALLOW lets in the one it names", spec.ID("gatewaydeploy.mesh-smoke.allow-named"),
			"client", "server", match.HaveStatus(200)),
		Entry("ALLOW keeps out the neighbour it does not name", spec.ID("gatewaydeploy.mesh-smoke.allow-not-neighbour"),
			"neighbour", "server", match.BeDenied()),
		Entry("DENY keeps out the one it names", spec.ID("gatewaydeploy.mesh-smoke.deny-named"),
			"client", "other-server", match.BeDenied()),
		Entry("DENY lets in the neighbour it does not name", spec.ID("gatewaydeploy.mesh-smoke.deny-not-neighbour"),
			"neighbour", "other-server", match.HaveStatus(200)),
	)

	It("does not touch a workload that it does not select", spec.ID("gatewaydeploy.mesh-smoke.policy-not-selected-workload"), func(ctx SpecContext) {
		By("waiting until the servers' proxies hold the policies")
		for _, name := range []string{"server", "other-server"} {
			sidecar.AwaitInbound(ctx, mesh[name], match.HaveHTTPFilter(echo.Port, rbac))
		}
		sidecar.AwaitReach(ctx, mesh["client"], mesh["neighbour"])
		Expect(sidecar.Inbound(mesh["neighbour"])(ctx)).To(match.HaveNoHTTPFilter(echo.Port, rbac))
		Expect(measure(ctx, mesh["client"], mesh["neighbour"])).To(match.HaveStatus(200))
	})
})
