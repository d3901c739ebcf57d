package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/xds/envoy"
)

// Listeners are the listeners in use, discovered ones only. A listener that still warms or
// was rejected is not among them.
func (p Proxy) Listeners(ctx context.Context) ([]*listenerv3.Listener, error) {
	return collect[listenerv3.Listener](ctx, p, "dynamic_listeners", func(section *anypb.Any) (*anypb.Any, error) {
		var one adminv3.ListenersConfigDump_DynamicListener
		err := unpack(section, &one)
		return one.GetActiveState().GetListener(), err
	})
}

// Clusters are the discovered clusters in use.
func (p Proxy) Clusters(ctx context.Context) ([]*clusterv3.Cluster, error) {
	return collect[clusterv3.Cluster](ctx, p, "dynamic_active_clusters", func(section *anypb.Any) (*anypb.Any, error) {
		var one adminv3.ClustersConfigDump_DynamicCluster
		err := unpack(section, &one)
		return one.GetCluster(), err
	})
}

// Routes are the route configurations in use, those a listener holds itself included: Istio's
// inbound routes are of that sort.
func (p Proxy) Routes(ctx context.Context) ([]*routev3.RouteConfiguration, error) {
	discovered, err := collect[routev3.RouteConfiguration](ctx, p, "dynamic_route_configs", func(section *anypb.Any) (*anypb.Any, error) {
		var one adminv3.RoutesConfigDump_DynamicRouteConfig
		err := unpack(section, &one)
		return one.GetRouteConfig(), err
	})
	if err != nil {
		return nil, err
	}
	inline, err := collect[routev3.RouteConfiguration](ctx, p, "static_route_configs", func(section *anypb.Any) (*anypb.Any, error) {
		var one adminv3.RoutesConfigDump_StaticRouteConfig
		err := unpack(section, &one)
		return one.GetRouteConfig(), err
	})
	return append(discovered, inline...), err
}

// collect asks for one kind of resource and decodes each; extract finds it in its section,
// nil for a section without one in use.
func collect[R any, P interface {
	*R
	proto.Message
}](ctx context.Context, p Proxy, resource string, extract func(*anypb.Any) (*anypb.Any, error)) ([]P, error) {
	dump, err := p.ConfigDump(ctx, resource)
	var status *kube.StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		// Envoy has no such section before the first resource that needs it.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []P
	for _, section := range dump.GetConfigs() {
		held, err := extract(section)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", resource, p, err)
		}
		if held == nil {
			continue
		}
		one := P(new(R))
		if err := unpack(held, one); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", resource, p, err)
		}
		found = append(found, one)
	}
	return found, nil
}

// Chains are the filter chains of a listener in use; the error names the listeners there are.
func (p Proxy) Chains(ctx context.Context, listener string) ([]envoy.Chain, error) {
	listeners, err := p.Listeners(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, candidate := range listeners {
		if candidate.GetName() == listener {
			return envoy.Chains(candidate)
		}
		names = append(names, candidate.GetName())
	}
	return nil, fmt.Errorf("%s has no listener %q, it has %q", p, listener, names)
}

// FilterChains gives the ordered names of the network filters of a listener's chains.
func (p Proxy) FilterChains(ctx context.Context, listener string) ([][]string, error) {
	return p.names(ctx, listener, func(chain envoy.Chain) []envoy.Filter { return chain.Network })
}

// HTTPFilters gives the ordered names of the HTTP filters of those chains of a listener that
// have an HTTP connection manager.
func (p Proxy) HTTPFilters(ctx context.Context, listener string) ([][]string, error) {
	return p.names(ctx, listener, func(chain envoy.Chain) []envoy.Filter { return chain.HTTP })
}

func (p Proxy) names(ctx context.Context, listener string, of func(envoy.Chain) []envoy.Filter) ([][]string, error) {
	chains, err := p.Chains(ctx, listener)
	if err != nil {
		return nil, err
	}
	var lists [][]string
	for _, chain := range chains {
		if filters := of(chain); len(filters) > 0 {
			lists = append(lists, envoy.Names(filters))
		}
	}
	return lists, nil
}

// VirtualHost finds the virtual host that serves a domain; nil if the proxy has none yet.
func (p Proxy) VirtualHost(ctx context.Context, domain string) (*routev3.VirtualHost, error) {
	routes, err := p.Routes(ctx)
	if err != nil {
		return nil, err
	}
	return envoy.VirtualHost(routes, domain), nil
}

// Endpoint is one address a cluster sends to.
type Endpoint struct {
	Address string
	// Healthy is what load balancing believes: discovery's word, health checks, ejections.
	Healthy bool
}

// GomegaString is the endpoint in one line, for messages.
func (e Endpoint) GomegaString() string {
	if e.Healthy {
		return e.Address
	}
	return e.Address + " (not healthy)"
}

// EndpointsOf are the endpoints of a cluster as load balancing sees them now; an unknown
// cluster is an error, one without endpoints an empty answer.
func (p Proxy) EndpointsOf(ctx context.Context, cluster string) ([]Endpoint, error) {
	content, err := p.Admin(ctx, "/clusters?format=json")
	if err != nil {
		return nil, err
	}
	statuses := &adminv3.Clusters{}
	if err := decode(content, statuses); err != nil {
		return nil, fmt.Errorf("clusters of %s: %w", p, err)
	}
	for _, status := range statuses.GetClusterStatuses() {
		if status.GetName() != cluster {
			continue
		}
		endpoints := []Endpoint{}
		for _, host := range status.GetHostStatuses() {
			endpoints = append(endpoints, Endpoint{Address: envoy.Address(host.GetAddress()), Healthy: healthy(host.GetHealthStatus())})
		}
		return endpoints, nil
	}
	return nil, fmt.Errorf("%s has no cluster %q", p, cluster)
}
