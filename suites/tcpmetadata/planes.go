// Package tcpmetadata shows the release's two notes on TCP metadata exchange: the switch that takes its
// token out of TLS's ALPN, and the discovery of workloads that stands in for it.
package tcpmetadata

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
)

// Ports of tcpmetadata/services.yaml and tcpmetadata/gateway.yaml.
const (
	tcpPort  = 9090
	httpPort = 8080

	mutualPort     = 9443
	oneWayPort     = 9444
	plainPort      = 9000
	mutualHTTPPort = 8443
)

// inbound is the listener that takes what comes in to a sidecar.
const inbound = "virtualInbound"

// ghostSidecar and ghostGateway are proxies that are not there: istiod knows the one by the address of the fixture's
// WorkloadEntry, the other by its label.
func ghostSidecar(namespace string) xds.Node {
	return ghost(xds.Sidecar, namespace, "server", "192.0.2.90")
}

func ghostGateway(namespace string) xds.Node {
	return ghost(xds.Router, namespace, "edge", "192.0.2.91")
}

func ghost(kind xds.Kind, namespace, app, ip string) xds.Node {
	return xds.Node{
		Kind: kind, IP: ip, Pod: app, Namespace: namespace,
		Labels: map[string]string{"app": app}, IstioVersion: session.Job().Cell.Istio,
	}
}

// planes are those whose flags differ in what this row is about: stock has the release's defaults, switched
// has PILOT_DISABLE_MX_ALPN, and on the plane alias metadata exchange is off.
func planes() []mesh.ControlPlane {
	return []mesh.ControlPlane{mesh.Stock(), mesh.Switched(), mesh.Alias()}
}

// held is what one plane gives the two ghosts.
type held struct{ sidecar, gateway *xds.Snapshot }

// ghosts are the two in their namespace, with what each plane, by its name, gives them.
type ghosts struct {
	namespace string
	by        map[string]held
}

var _ = Describe("TCP metadata exchange", Ordered, ContinueOnFailure, Label(catalogue.TCPMetadata), func() {
	var asked ghosts

	evidence.BeforeAll(func(ctx SpecContext) { asked = awaitGhosts(ctx) })

	offers(&asked)
	filters(&asked)
})

// awaitGhosts deploys the fixtures of the ghosts and waits until each plane serves all of them.
func awaitGhosts(ctx context.Context) ghosts {
	GinkgoHelper()
	namespace := kube.NewNamespace(ctx, "tcpmetadata-ghosts", mesh.OfStock, mesh.Compared)
	kube.Apply(ctx, namespace, "tcpmetadata/services.yaml")
	kube.Apply(ctx, namespace, "tcpmetadata/gateway.yaml")
	by := map[string]held{}
	for _, plane := range planes() {
		Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
		Eventually(ctx, func(ctx context.Context) error {
			both, err := ask(ctx, plane, namespace)
			by[plane.Name] = both
			return err
		}, timing.Push(), timing.Poll).Should(Succeed(), "the plane %s does not serve the fixtures", plane.Name)
		replay(plane, namespace)
	}
	return ghosts{namespace, by}
}

// ask takes a snapshot for each ghost; it is an error while something of the fixtures is not in it.
func ask(ctx context.Context, plane mesh.ControlPlane, namespace string) (held, error) {
	var both held
	for _, one := range []struct {
		node xds.Node
		into **xds.Snapshot
	}{{ghostSidecar(namespace), &both.sidecar}, {ghostGateway(namespace), &both.gateway}} {
		snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, plane.Revision, one.node)
		if err != nil {
			return held{}, err
		}
		for _, subset := range []string{"", "in-mesh", "one-way"} {
			if _, err := snapshot.Cluster(clusterOf(namespace, tcpPort, subset)); err != nil {
				return held{}, err
			}
		}
		*one.into = snapshot
	}
	for _, port := range []int{tcpPort, httpPort} {
		if _, err := both.sidecar.Chain(inbound, chainOf(port)); err != nil {
			return held{}, err
		}
	}
	for _, port := range []int{mutualPort, oneWayPort, plainPort, mutualHTTPPort} {
		if _, err := both.gateway.Listener(chainOf(port)); err != nil {
			return held{}, err
		}
	}
	return both, nil
}

// chainOf is how istiod calls an inbound filter chain, and a gateway's listener, by its port.
func chainOf(port int) string { return fmt.Sprintf("0.0.0.0_%d", port) }

// clusterOf is how istiod calls a cluster of the Service of tcpmetadata/services.yaml.
func clusterOf(namespace string, port int, subset string) string {
	return fmt.Sprintf("outbound|%d|%s|server.%s.svc.cluster.local", port, subset, namespace)
}

// replay records how a user asks as the ghosts do.
func replay(plane mesh.ControlPlane, namespace string) {
	for _, node := range []xds.Node{ghostSidecar(namespace), ghostGateway(namespace)} {
		evidence.Replay("kubectl port-forward -n %s deploy/%s 15010 & grpcurl -plaintext -d '%s' localhost:15010 %s",
			mesh.Namespace, plane.Deployment(),
			fmt.Sprintf(`{"node":{"id":%q,"metadata":{"ISTIO_VERSION":%q,"NAMESPACE":%q,"CLUSTER_ID":"Kubernetes","LABELS":{"app":%q}}},"typeUrl":"type.googleapis.com/envoy.config.listener.v3.Listener"}`,
				node.ID(), node.IstioVersion, namespace, node.Pod),
			"envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources")
	}
}
