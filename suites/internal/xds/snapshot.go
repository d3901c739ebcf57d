package xds

import (
	"fmt"
	"maps"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"mesh-conformance/suites/internal/xds/envoy"
)

// Snapshot is everything istiod configures one node with, in the order it came.
type Snapshot struct {
	Clusters  []*clusterv3.Cluster
	Listeners []*listenerv3.Listener
	Routes    []*routev3.RouteConfiguration
}

// Listener finds a listener by its name, for example virtualInbound or 0.0.0.0_8080.
func (s *Snapshot) Listener(name string) (*listenerv3.Listener, error) {
	known := map[string]*listenerv3.Listener{}
	for _, listener := range s.Listeners {
		known[listener.GetName()] = listener
	}
	return find("listener", known, name)
}

// Cluster finds a cluster by its name, for example outbound|80||b.ns.svc.cluster.local.
func (s *Snapshot) Cluster(name string) (*clusterv3.Cluster, error) {
	known := map[string]*clusterv3.Cluster{}
	for _, cluster := range s.Clusters {
		known[cluster.GetName()] = cluster
	}
	return find("cluster", known, name)
}

// Route finds a route configuration by its name.
func (s *Snapshot) Route(name string) (*routev3.RouteConfiguration, error) {
	known := map[string]*routev3.RouteConfiguration{}
	for _, route := range s.Routes {
		known[route.GetName()] = route
	}
	return find("route configuration", known, name)
}

// Chain finds a filter chain of a listener by the chain's name; several chains may share
// one, as Istio's inbound chains do, so each of that name is given.
func (s *Snapshot) Chain(listener, chain string) ([]envoy.Chain, error) {
	holder, err := s.Listener(listener)
	if err != nil {
		return nil, err
	}
	chains, err := envoy.Chains(holder)
	if err != nil {
		return nil, err
	}
	var named []envoy.Chain
	var names []string
	for _, candidate := range chains {
		names = append(names, candidate.Name)
		if candidate.Name == chain {
			named = append(named, candidate)
		}
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("listener %s has no filter chain %q, it has %q", listener, chain, names)
	}
	return named, nil
}

// find looks a resource up; a miss names what there is, or a spec's failure could not be read.
func find[R any](kind string, known map[string]R, name string) (R, error) {
	resource, ok := known[name]
	if !ok {
		return resource, fmt.Errorf("the node holds no %s %q, it holds %q", kind, name, slices.Sorted(maps.Keys(known)))
	}
	return resource, nil
}
