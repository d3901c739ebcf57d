package gatewaydeploy

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/xds"
	"mesh-conformance/suites/internal/xds/envoy"
)

// catchAllHTTP is the filter chain for HTTP to ports that no service has.
const catchAllHTTP = "virtualInbound-catchall-http"

// stranger is a sidecar of no service, of the subject's version. Its address is one for documentation
// (RFC 5737): no pod has it.
func stranger() xds.Node {
	return xds.Node{
		Kind: xds.Sidecar, IP: "192.0.2.1", Pod: "stranger", Namespace: "default",
		Labels: map[string]string{"app": "stranger"}, IstioVersion: session.Job().Cell.Istio,
	}
}

// inboundHTTP asks a control plane which HTTP filters a stranger's catch-all chains have, chain by chain.
func inboundHTTP(ctx context.Context, plane mesh.ControlPlane) ([][]string, error) {
	if err := mesh.Await(ctx, kube.Shared(), plane); err != nil {
		return nil, err
	}
	snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, plane.Revision, stranger())
	if err != nil {
		return nil, fmt.Errorf("the plane %s: %w", plane.Name, err)
	}
	chains, err := snapshot.Chain("virtualInbound", catchAllHTTP)
	if err != nil {
		return nil, fmt.Errorf("the plane %s: %w", plane.Name, err)
	}
	var filters [][]string
	for _, chain := range chains {
		filters = append(filters, envoy.Names(chain.HTTP))
	}
	evidence.Replay("kubectl port-forward -n %s deploy/%s 15010 & grpcurl -plaintext -d '%s' localhost:15010 %s",
		mesh.Namespace, plane.Deployment(),
		fmt.Sprintf(`{"node":{"id":%q,"metadata":{"ISTIO_VERSION":%q,"NAMESPACE":"default"}},"typeUrl":"type.googleapis.com/envoy.config.listener.v3.Listener"}`,
			stranger().ID(), session.Job().Cell.Istio),
		"envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources")
	for _, names := range filters {
		evidence.Config("HTTP filters of "+catchAllHTTP+", plane "+plane.Name, "%s", strings.Join(names, " → "))
	}
	return filters, nil
}

var _ = Describe("A control plane with the release's default flags", Label(catalogue.GatewayDeployMeshSmoke), func() {
	It("gives a sidecar's inbound HTTP Istio's own filters in the order of the release", spec.ID("gatewaydeploy.mesh-smoke.stock-inbound-filters"), func(ctx SpecContext) {
		Expect(inboundHTTP(ctx, mesh.Stock())).To(HaveEach(HaveExactElements(
			"istio.metadata_exchange",
			"envoy.filters.http.grpc_stats",
			"envoy.filters.http.fault",
			"envoy.filters.http.cors",
			"istio.stats",
			"envoy.filters.http.router",
		)), "HTTP filters of %s, plane stock", catchAllHTTP)

		By("asking the plane whose flags leave Istio's own filters out")
		Expect(inboundHTTP(ctx, mesh.Alias())).To(HaveEach(HaveExactElements(
			"envoy.filters.http.grpc_stats",
			"envoy.filters.http.fault",
			"envoy.filters.http.cors",
			"envoy.filters.http.router",
		)), "HTTP filters of %s, plane alias", catchAllHTTP)
	})
})
