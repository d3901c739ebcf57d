package gatewaydeploy

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

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

// awaitInbound waits until a workload's sidecar lets requests in as the matcher wants.
func awaitInbound(ctx context.Context, workload *echo.Workload, want types.GomegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, inbound(workload), timing.Push, timing.Poll).Should(want, "sidecar of %s.%s", workload.Name, workload.Namespace)
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- pilot-agent request GET 'config_dump?resource=dynamic_listeners'",
		workload.Namespace, workload.Name, sidecar)
}

// awaitReach waits until the caller's sidecar knows the pod behind the other workload's Service: until
// then, what comes back says nothing about the other's policy.
func awaitReach(ctx context.Context, from, to *echo.Workload) {
	GinkgoHelper()
	cluster := "outbound|80||" + to.Name + "." + to.Namespace + ".svc.cluster.local"
	Eventually(ctx, proxy.Of(kube.Shared(), from.Namespace, from.Pod.Name).EndpointsOf, timing.Push, timing.Poll).WithArguments(cluster).
		Should(ConsistOf(And(HaveField("Address", HavePrefix(to.Pod.Status.PodIP+":")), HaveField("Healthy", BeTrue()))),
			"sidecar of %s.%s, endpoints of %s", from.Name, from.Namespace, cluster)
}

// measure sends requests from one workload to another, once, and records what came back.
func measure(ctx context.Context, from, to *echo.Workload) echo.Answers {
	GinkgoHelper()
	from.Replay(to.URL("/"), requests)
	answers, err := from.Send(ctx, to.URL("/"), requests)
	Expect(err).NotTo(HaveOccurred())
	evidence.Traffic(from.Name+"."+from.Namespace+" to "+to.Name+"."+to.Namespace, "%s", answers)
	return answers
}

var _ = Describe("Mutual TLS", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployMeshSmoke), func() {
	var mesh map[string]*echo.Workload
	var outsider *echo.Workload

	prepareAll(func(ctx SpecContext) {
		inside := kube.NewNamespace(ctx, "mesh-mtls", kube.Injected)
		outside := kube.NewNamespace(ctx, "mesh-outside")
		kube.Apply(ctx, inside, "gatewaydeploy/strict.yaml")
		mesh = echo.Deploy(ctx, inside, "client", "server", "other-server")
		outsider = echo.Deploy(ctx, outside, "client")["client"]
	})

	It("carries requests under STRICT and shows the server who calls", func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS and the client's knows where it is")
		awaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echoPort))
		awaitReach(ctx, mesh["client"], mesh["server"])

		By("measuring once")
		answers := measure(ctx, mesh["client"], mesh["server"])
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["server"]))
		Expect(answers).To(match.HaveSPIFFE(mesh["client"].SPIFFE()))
		evidence.Traffic("caller as the server saw it", "%s", answers.All[0].Client())
	})

	It("refuses plaintext under STRICT", func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS")
		awaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echoPort))

		By("measuring once, from a pod without a sidecar")
		Expect(measure(ctx, outsider, mesh["server"])).To(match.BeCutOff())
	})

	It("lets plaintext through where a workload is PERMISSIVE, without an identity", func(ctx SpecContext) {
		By("waiting until the other server's proxy differs from its namespace's")
		awaitInbound(ctx, mesh["server"], match.TakeOnlyTLS(echoPort))
		awaitInbound(ctx, mesh["other-server"], Not(match.TakeOnlyTLS(echoPort)))

		By("measuring once, from a pod without a sidecar")
		answers := measure(ctx, outsider, mesh["other-server"])
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(mesh["other-server"]))
		Expect(answers).To(match.HaveSPIFFE(""))
	})
})
