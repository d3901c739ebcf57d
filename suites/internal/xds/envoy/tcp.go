package envoy

import (
	"fmt"

	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// TCPDestinations are the clusters that a chain's TCP proxy sends to, weighted ones included, in their
// order; nil for a chain without a TCP proxy.
func TCPDestinations(chain Chain) ([]string, error) {
	for _, filter := range chain.Network {
		proxy := &tcpv3.TcpProxy{}
		if !filter.Config.MessageIs(proxy) {
			continue
		}
		if err := filter.Config.UnmarshalTo(proxy); err != nil {
			return nil, fmt.Errorf("filter %s of chain %q: %w", filter.Name, chain.Name, err)
		}
		if cluster := proxy.GetCluster(); cluster != "" {
			return []string{cluster}, nil
		}
		var clusters []string
		for _, weighted := range proxy.GetWeightedClusters().GetClusters() {
			clusters = append(clusters, weighted.GetName())
		}
		return clusters, nil
	}
	return nil, nil
}
