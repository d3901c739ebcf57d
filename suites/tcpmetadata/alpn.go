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

// token is what both ends put into ALPN to agree on the exchange.
const token = "istio-peer-exchange"

// list is one ALPN list, or the lists of several filter chains of one name.
type list func(namespace string, of held) ([][]string, error)

// offers are the specs on PILOT_DISABLE_MX_ALPN: false on the plane stock, true on switched.
func offers(asked *ghosts) {
	// expectLists compares the lists of one place on one plane.
	expectLists := func(plane mesh.ControlPlane, of list, want ...string) {
		GinkgoHelper()
		lists, err := of(asked.namespace, asked.by[plane.Name])
		Expect(err).NotTo(HaveOccurred())
		Expect(lists).NotTo(BeEmpty())
		for _, got := range lists {
			evidence.Config("ALPN, plane "+plane.Name, "[%s]", strings.Join(got, ", "))
			Expect(strings.Join(got, ", ")).To(Equal(strings.Join(want, ", ")), "ALPN on the plane %s", plane.Name)
		}
	}

	DescribeTable("with PILOT_DISABLE_MX_ALPN is no longer offered by",
		func(of list, without ...string) {
			expectLists(mesh.Stock(), of, append([]string{token}, without...)...)
			expectLists(mesh.Switched(), of, without...)
		},
		Entry("a cluster that uses mutual TLS by itself", spec.ID("tcpmetadata.alpn-off-cluster-auto"),
			cluster(tcpPort, "", "tlsMode-istio"), "istio"),
		Entry("a cluster whose DestinationRule says ISTIO_MUTUAL", spec.ID("tcpmetadata.alpn-off-cluster-istio-mutual"),
			cluster(tcpPort, "in-mesh", ""), "istio"),
		Entry("a cluster of an HTTP/2 port", spec.ID("tcpmetadata.alpn-off-cluster-http2"),
			cluster(grpcPort, "", "tlsMode-istio"), "istio", "h2"),
		Entry("a gateway's cluster", spec.ID("tcpmetadata.alpn-off-gateway-cluster"),
			ofGateway(cluster(tcpPort, "", "tlsMode-istio")), "istio"),
		Entry("a sidecar's inbound TCP port", spec.ID("tcpmetadata.alpn-off-inbound-tcp"),
			inboundTLS(chainOf(tcpPort)), "h2", "http/1.1"),
		Entry("a sidecar's inbound port of no Service", spec.ID("tcpmetadata.alpn-off-inbound-no-service"),
			inboundTLS(catchAllTCP), "h2", "http/1.1"),
		Entry("a gateway's TCP server with ISTIO_MUTUAL", spec.ID("tcpmetadata.alpn-off-gateway-istio-mutual"),
			gatewayTLS(mutualPort), "h2", "http/1.1"),
	)

	DescribeTable("with PILOT_DISABLE_MX_ALPN does not change",
		func(of list, same ...string) {
			expectLists(mesh.Stock(), of, same...)
			expectLists(mesh.Switched(), of, same...)
		},
		Entry("the protocols by which a TCP port's filter chain is chosen", spec.ID("tcpmetadata.alpn-kept-match-tcp"),
			chosenBy(chainOf(tcpPort)),
			"istio", token, "istio-http/1.0", "istio-http/1.1", "istio-h2"),
		Entry("the protocols by which the TCP filter chain of no Service's port is chosen", spec.ID("tcpmetadata.alpn-kept-match-no-service"),
			chosenBy(catchAllTCP), token, "istio"),
		Entry("the protocols by which an HTTP port's filter chain is chosen", spec.ID("tcpmetadata.alpn-kept-match-http"),
			chosenBy(chainOf(httpPort)),
			"istio", token, "istio-http/1.0", "istio-http/1.1", "istio-h2"),
		Entry("what a sidecar's inbound HTTP port offers", spec.ID("tcpmetadata.alpn-kept-inbound-http"),
			inboundTLS(chainOf(httpPort)), "h2", "http/1.1"),
		Entry("what a gateway's HTTPS server with ISTIO_MUTUAL offers", spec.ID("tcpmetadata.alpn-kept-gateway-https"),
			gatewayTLS(mutualHTTPPort), "h2", "http/1.1"),
		Entry("what a gateway's TCP server with SIMPLE offers", spec.ID("tcpmetadata.alpn-kept-gateway-simple"),
			gatewayTLS(oneWayPort), "h2", "http/1.1"),
		Entry("what a cluster with SIMPLE offers for an HTTP/2 port", spec.ID("tcpmetadata.alpn-kept-cluster-simple-http2"),
			cluster(grpcPort, "one-way", ""), "h2"),
		Entry("what a cluster with SIMPLE offers for a TCP port, which is nothing", spec.ID("tcpmetadata.alpn-kept-cluster-simple-tcp"),
			cluster(tcpPort, "one-way", "")),
	)

	It("is not offered by sidecars where PILOT_ENABLE_METADATA_EXCHANGE is false", spec.ID("tcpmetadata.alpn-off-without-exchange"), func() {
		expectLists(mesh.Alias(), cluster(tcpPort, "", "tlsMode-istio"), "istio")
		expectLists(mesh.Alias(), cluster(grpcPort, "", "tlsMode-istio"), "istio", "h2")
		expectLists(mesh.Alias(), inboundTLS(chainOf(tcpPort)), "h2", "http/1.1")
	})
}

// grpcPort is a port of tcpmetadata/services.yaml.
const grpcPort = 7070

// catchAllTCP are the filter chains for TCP to ports that no Service has.
const catchAllTCP = "virtualInbound"

// cluster is what a cluster's TLS offers, by the name of the transport socket's match; a cluster without
// an entry of its own offers nothing.
func cluster(port int, subset, socket string) list {
	return func(namespace string, of held) ([][]string, error) {
		return clusterALPN(of.sidecar, clusterOf(namespace, port, subset), socket)
	}
}

// ofGateway asks for the gateway's instead of the sidecar's.
func ofGateway(ask list) list {
	return func(namespace string, of held) ([][]string, error) {
		return ask(namespace, held{sidecar: of.gateway})
	}
}

func clusterALPN(snapshot *xds.Snapshot, name, socket string) ([][]string, error) {
	found, err := snapshot.Cluster(name)
	if err != nil {
		return nil, err
	}
	offered, err := envoy.ClusterALPN(found)
	if err != nil {
		return nil, err
	}
	alpn, ok := offered[socket]
	if !ok {
		return nil, fmt.Errorf("cluster %s has no TLS socket %q: %q", name, socket, offered)
	}
	return [][]string{alpn}, nil
}

// inboundTLS is what a sidecar's inbound chains of a name offer, those with TLS.
func inboundTLS(chain string) list {
	return func(_ string, of held) ([][]string, error) {
		chains, err := of.sidecar.Chain(inbound, chain)
		return offered(chains), err
	}
}

// gatewayTLS is what the server of a gateway's port offers.
func gatewayTLS(port int) list {
	return func(_ string, of held) ([][]string, error) {
		listener, err := of.gateway.Listener(chainOf(port))
		if err != nil {
			return nil, err
		}
		chains, err := envoy.Chains(listener)
		return offered(chains), err
	}
}

func offered(chains []envoy.Chain) [][]string {
	var lists [][]string
	for _, chain := range chains {
		if chain.ALPN != nil {
			lists = append(lists, chain.ALPN)
		}
	}
	return lists
}

// chosenBy are the protocols of the client's ALPN that lead to a sidecar's inbound chains of a name,
// those with TLS.
func chosenBy(chain string) list {
	return func(_ string, of held) ([][]string, error) {
		chains, err := of.sidecar.Chain(inbound, chain)
		var lists [][]string
		for _, chain := range chains {
			if chain.ALPN != nil {
				lists = append(lists, chain.Proto.GetFilterChainMatch().GetApplicationProtocols())
			}
		}
		return lists, err
	}
}
