package tcpmetadata

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

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

// connections is how many TCP connections one measurement makes.
const connections = 10

// What the exchange is for. This needs Istio's own proxy, which has the filters and counts by workload; a
// proxy that lacks them refuses most of what these planes send.
var _ = Describe("A server's TCP metrics", Label(catalogue.TCPMetadata), func() {
	DescribeTable("name the client's workload",
		func(ctx SpecContext, plane mesh.ControlPlane, server, source string) {
			Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
			namespace := kube.NewNamespace(ctx, "tcpmetadata-metrics", mesh.OfStock, "istio.io/rev="+plane.Revision)
			kube.Apply(ctx, namespace, server)
			kube.Apply(ctx, namespace, "echo/client.yaml")
			workloads := echo.Await(ctx, namespace, "client", "server")

			By("waiting until the client's proxy knows the server")
			sidecar.AwaitReach(ctx, workloads["client"], workloads["server"])

			By("measuring once")
			answers := workloads["client"].Measure(ctx, "tcp://server."+namespace+".svc.cluster.local:9090", connections)
			Expect(answers).To(match.HaveStatus(200))

			By("waiting until the server's proxy has counted the connections")
			const page = "/stats/prometheus"
			count := func(ctx context.Context) (map[string]int, error) {
				text, err := sidecar.Of(workloads["server"]).Admin(ctx, page)
				if err != nil {
					return nil, err
				}
				return openedBySource(text)
			}
			evidence.Replay("kubectl exec -n %s deploy/server -c %s -- pilot-agent request GET %s", namespace, sidecar.Container, page)
			Eventually(ctx, count, timing.Push(), timing.Poll).Should(Equal(map[string]int{source: connections}),
				"TCP connections by source_workload on the plane %s", plane.Name)
			evidence.Traffic("TCP connections by source_workload, plane "+plane.Name, "%d × %s", connections, source)
		},
		Entry("by default, after the metadata exchange over ALPN", spec.ID("tcpmetadata.labels-by-exchange"),
			mesh.Stock(), "echo/server.yaml", "client"),
		Entry("by discovery, with PILOT_DISABLE_MX_ALPN and PEER_METADATA_DISCOVERY", spec.ID("tcpmetadata.labels-by-discovery"),
			mesh.Switched(), "tcpmetadata/discovering-server.yaml", "client"),
		Entry("not at all with PILOT_DISABLE_MX_ALPN alone", spec.ID("tcpmetadata.labels-unknown"),
			mesh.Switched(), "echo/server.yaml", "unknown"),
	)
})
