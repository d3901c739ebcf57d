package envoy

import (
	"fmt"
	"net"
	"strconv"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Chain is one filter chain of a listener.
type Chain struct {
	Name    string
	Default bool
	// Network are the chain's network filters in their order.
	Network []Filter
	// HTTP are the filters of the chain's HTTP connection manager in their order; nil without one.
	HTTP []Filter
	// RouteName is the route configuration its connection manager asks for by RDS.
	RouteName string
	// Routes is the route configuration its connection manager holds itself.
	Routes *routev3.RouteConfiguration
	// ALPN is what the chain's TLS offers, in order; nil for a chain without TLS.
	ALPN []string
	// Proto is the chain itself: its match, its transport socket.
	Proto *listenerv3.FilterChain
}

// Chains decodes the filter chains of a listener in their order, the default one last.
func Chains(listener *listenerv3.Listener) ([]Chain, error) {
	protos := listener.GetFilterChains()
	chains := make([]Chain, 0, len(protos)+1)
	for _, p := range protos {
		chain, err := chainOf(p)
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", listener.GetName(), err)
		}
		chains = append(chains, chain)
	}
	if p := listener.GetDefaultFilterChain(); p != nil {
		chain, err := chainOf(p)
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", listener.GetName(), err)
		}
		chain.Default = true
		chains = append(chains, chain)
	}
	return chains, nil
}

func chainOf(p *listenerv3.FilterChain) (Chain, error) {
	chain := Chain{Name: p.GetName(), Network: filtersOf(p.GetFilters()), Proto: p}
	for _, filter := range chain.Network {
		var manager hcmv3.HttpConnectionManager
		if !filter.Config.MessageIs(&manager) {
			continue
		}
		if err := filter.Config.UnmarshalTo(&manager); err != nil {
			return Chain{}, fmt.Errorf("filter chain %q, filter %s: %w", p.GetName(), filter.Name, err)
		}
		chain.HTTP = filtersOf(manager.GetHttpFilters())
		chain.RouteName = manager.GetRds().GetRouteConfigName()
		chain.Routes = manager.GetRouteConfig()
	}
	var tls tlsv3.DownstreamTlsContext
	ok, err := transportSocket(p.GetTransportSocket(), &tls)
	if err != nil {
		return Chain{}, fmt.Errorf("filter chain %q: %w", p.GetName(), err)
	}
	if ok {
		chain.ALPN = tls.GetCommonTlsContext().GetAlpnProtocols()
	}
	return chain, nil
}

// transportSocket decodes a socket's configuration if it is of the message's type.
func transportSocket(socket *corev3.TransportSocket, into proto.Message) (bool, error) {
	var config *anypb.Any = socket.GetTypedConfig()
	if !config.MessageIs(into) {
		return false, nil
	}
	if err := config.UnmarshalTo(into); err != nil {
		return false, fmt.Errorf("transport socket %s: %w", socket.GetName(), err)
	}
	return true, nil
}

// ListenerFilters are the filters that see a connection before a chain is chosen.
func ListenerFilters(listener *listenerv3.Listener) []Filter {
	return filtersOf(listener.GetListenerFilters())
}

// ClusterFilters are the network filters of a cluster's upstream connections.
func ClusterFilters(cluster *clusterv3.Cluster) []Filter { return filtersOf(cluster.GetFilters()) }

// ClusterALPN is what a cluster's TLS offers, by the name of its transport socket match; a
// socket without a match stands under the empty name.
func ClusterALPN(cluster *clusterv3.Cluster) (map[string][]string, error) {
	sockets := map[string]*corev3.TransportSocket{"": cluster.GetTransportSocket()}
	for _, match := range cluster.GetTransportSocketMatches() {
		sockets[match.GetName()] = match.GetTransportSocket()
	}
	offered := map[string][]string{}
	for name, socket := range sockets {
		var tls tlsv3.UpstreamTlsContext
		ok, err := transportSocket(socket, &tls)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", cluster.GetName(), err)
		}
		if ok {
			offered[name] = tls.GetCommonTlsContext().GetAlpnProtocols()
		}
	}
	return offered, nil
}

// Address renders an address as host:port, or as what it is if it is no socket.
func Address(address *corev3.Address) string {
	if socket := address.GetSocketAddress(); socket != nil {
		return net.JoinHostPort(socket.GetAddress(), strconv.Itoa(int(socket.GetPortValue())))
	}
	if pipe := address.GetPipe(); pipe != nil {
		return "unix:" + pipe.GetPath()
	}
	if internal := address.GetEnvoyInternalAddress(); internal != nil {
		return "internal:" + internal.GetServerListenerName()
	}
	return ""
}
