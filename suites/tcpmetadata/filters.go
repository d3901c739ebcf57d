package tcpmetadata

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/xds"
	"mesh-conformance/suites/internal/xds/envoy"
)

const (
	exchangeFilter = "istio.metadata_exchange"
	exchangeType   = "envoy.tcp.metadataexchange.config.MetadataExchange"
)

// stacks are the network filters of one place, a stack for each filter chain or cluster there.
type stacks func(namespace string, of held) ([][]envoy.Filter, error)

// filters are the specs on where the exchange's filter stands.
func filters(asked *ghosts) {
	// stacksOf gives the filters of one place on one plane, after proof that there are any.
	stacksOf := func(plane mesh.ControlPlane, of stacks) [][]envoy.Filter {
		GinkgoHelper()
		found, err := of(asked.namespace, asked.by[plane.Name])
		Expect(err).NotTo(HaveOccurred())
		Expect(found).NotTo(BeEmpty(), "filter stacks on the plane %s", plane.Name)
		for _, filters := range found {
			evidence.Config("filters, plane "+plane.Name, "%s", chained(filters))
		}
		return found
	}

	DescribeTable("has its filter first, with discovery to fall back to, unless PILOT_ENABLE_METADATA_EXCHANGE is false,",
		func(of stacks) {
			for _, plane := range []mesh.ControlPlane{mesh.Stock(), mesh.Switched()} {
				for _, filters := range stacksOf(plane, of) {
					// First, or the others would not see what was exchanged.
					Expect(chained(filters)).To(HavePrefix(exchangeFilter), "filters on the plane %s", plane.Name)
					Expect(filters[0].Type).To(Equal(exchangeType), "on the plane %s", plane.Name)
					Expect(filters[0].Fields()).To(Equal(map[string]any{"protocol": token, "enable_discovery": true}), "on the plane %s", plane.Name)
					evidence.Config(exchangeFilter+", plane "+plane.Name, "%s %v", filters[0].Type, filters[0].Fields())
				}
			}
			for _, filters := range stacksOf(mesh.Alias(), of) {
				Expect(chained(filters)).NotTo(ContainSubstring(exchangeFilter), "filters on the plane alias")
			}
		},
		Entry("in a sidecar's inbound TCP port", spec.ID("tcpmetadata.filter-inbound-tcp"),
			inboundNetwork(chainOf(tcpPort))),
		Entry("in a sidecar's inbound HTTP port", spec.ID("tcpmetadata.filter-inbound-http"),
			inboundNetwork(chainOf(httpPort))),
		Entry("in a sidecar's inbound port of no Service", spec.ID("tcpmetadata.filter-inbound-no-service"),
			inboundNetwork(catchAllTCP)),
		Entry("in a gateway's TCP server with ISTIO_MUTUAL", spec.ID("tcpmetadata.filter-gateway-istio-mutual"),
			gatewayNetwork(mutualPort)),
		Entry("in a sidecar's cluster", spec.ID("tcpmetadata.filter-cluster"), clusterFilters(tcpPort, "")),
		Entry("in a sidecar's cluster of a subset with ISTIO_MUTUAL", spec.ID("tcpmetadata.filter-cluster-subset"),
			clusterFilters(tcpPort, "in-mesh")),
		Entry("in a gateway's cluster", spec.ID("tcpmetadata.filter-gateway-cluster"),
			ofGatewayStacks(clusterFilters(tcpPort, ""))),
		Entry("in the cluster for what no Service serves", spec.ID("tcpmetadata.filter-passthrough-cluster"),
			passthrough),
	)

	DescribeTable("has no filter",
		func(of stacks) {
			for _, plane := range planes() {
				for _, filters := range stacksOf(plane, of) {
					Expect(chained(filters)).NotTo(ContainSubstring(exchangeFilter), "filters on the plane %s", plane.Name)
				}
			}
		},
		Entry("in a gateway's TCP server without TLS", spec.ID("tcpmetadata.no-filter-gateway-plain"),
			gatewayNetwork(plainPort)),
		Entry("in a gateway's TCP server with SIMPLE", spec.ID("tcpmetadata.no-filter-gateway-simple"),
			gatewayNetwork(oneWayPort)),
		Entry("in a gateway's HTTPS server", spec.ID("tcpmetadata.no-filter-gateway-https"),
			gatewayNetwork(mutualHTTPPort)),
		Entry("in a sidecar's outbound listener", spec.ID("tcpmetadata.no-filter-outbound"), outbound),
	)

	It("has no filter in a cluster that leads to the application itself", spec.ID("tcpmetadata.no-filter-inbound-cluster"), func() {
		name := fmt.Sprintf("inbound|%d||", tcpPort)
		for _, plane := range planes() {
			found, err := asked.by[plane.Name].sidecar.Cluster(name)
			Expect(err).NotTo(HaveOccurred())
			Expect(chained(envoy.ClusterFilters(found))).To(BeEmpty(), "filters of %s on the plane %s", name, plane.Name)
			evidence.Config("filters of "+name+", plane "+plane.Name, "none")
		}
	})
}

// chained are the filters' names in their order.
func chained(filters []envoy.Filter) string { return strings.Join(envoy.Names(filters), " → ") }

func inboundNetwork(chain string) stacks {
	return func(_ string, of held) ([][]envoy.Filter, error) {
		chains, err := of.sidecar.Chain(inbound, chain)
		return network(chains), err
	}
}

func gatewayNetwork(port int) stacks {
	return func(_ string, of held) ([][]envoy.Filter, error) {
		return networkOf(of.gateway, chainOf(port))
	}
}

// outbound is the sidecar's listener for what goes out: there the cluster has the filter.
func outbound(_ string, of held) ([][]envoy.Filter, error) {
	return networkOf(of.sidecar, "virtualOutbound")
}

func networkOf(snapshot *xds.Snapshot, listener string) ([][]envoy.Filter, error) {
	found, err := snapshot.Listener(listener)
	if err != nil {
		return nil, err
	}
	chains, err := envoy.Chains(found)
	return network(chains), err
}

func network(chains []envoy.Chain) [][]envoy.Filter {
	var found [][]envoy.Filter
	for _, chain := range chains {
		found = append(found, chain.Network)
	}
	return found
}

func clusterFilters(port int, subset string) stacks {
	return func(namespace string, of held) ([][]envoy.Filter, error) {
		return filtersOf(of.sidecar, clusterOf(namespace, port, subset))
	}
}

func ofGatewayStacks(ask stacks) stacks {
	return func(namespace string, of held) ([][]envoy.Filter, error) {
		return ask(namespace, held{sidecar: of.gateway})
	}
}

func passthrough(_ string, of held) ([][]envoy.Filter, error) {
	return filtersOf(of.sidecar, "PassthroughCluster")
}

func filtersOf(snapshot *xds.Snapshot, name string) ([][]envoy.Filter, error) {
	found, err := snapshot.Cluster(name)
	if err != nil {
		return nil, err
	}
	return [][]envoy.Filter{envoy.ClusterFilters(found)}, nil
}
