package externalname

import (
	"context"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// destinations are the clusters to which the route configuration of that name sends requests for a
// host, in the order of its routes; nil where no virtual host lists the host.
func destinations(held []*routev3.RouteConfiguration, name, host string) []string {
	var clusters []string
	for _, configuration := range held {
		if configuration.GetName() != name {
			continue
		}
		found := envoy.VirtualHost([]*routev3.RouteConfiguration{configuration}, host)
		for _, route := range found.GetRoutes() {
			clusters = append(clusters, envoy.Destinations(route)...)
		}
	}
	return clusters
}

// routed reads a proxy's destinations for a host.
func routed(of proxy.Proxy, name, host string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		held, err := of.Routes(ctx)
		return destinations(held, name, host), err
	}
}

// awaitRoute waits until the client's proxy sends a host's requests, on the listener of a port, to just
// that cluster.
func (b *bed) awaitRoute(ctx context.Context, port, host, cluster string) {
	GinkgoHelper()
	Eventually(ctx, routed(sidecar.Of(b.client), port, host), timing.Push(), timing.Poll).Should(
		Equal([]string{cluster}), "clusters to which the client's proxy sends port %s of %s", port, host)
	sidecar.ReplayDump(b.client, "dynamic_route_configs")
	evidence.Config("route for "+host+" on port "+port, "%s", cluster)
}

// awaitDispatched waits until a VirtualService has taken a Service's requests, on the listener of a port,
// from the Service's own cluster. It gives the clusters to which they are sent instead.
func (b *bed) awaitDispatched(ctx context.Context, port, service string) []string {
	GinkgoHelper()
	var clusters []string
	Eventually(ctx, func(ctx context.Context) (_ []string, err error) {
		clusters, err = routed(sidecar.Of(b.client), port, b.host(service))(ctx)
		return clusters, err
	}, timing.Push(), timing.Poll).Should(
		And(Not(BeEmpty()), Not(ContainElement(b.cluster(port, service)))), "clusters to which the client's proxy sends port %s of Service %s, which a VirtualService dispatches", port, service)
	sidecar.ReplayDump(b.client, "dynamic_route_configs")
	evidence.Config("route for "+b.host(service)+" on port "+port, "%q", clusters)
	return clusters
}

// lacking returns those of the clusters' names that are not among the clusters that a proxy holds.
func lacking(names []string, held []*clusterv3.Cluster) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(held, func(cluster *clusterv3.Cluster) bool { return cluster.GetName() == name })
	})
}

// expectNoRoute makes sure that the client's proxy has no virtual host for any of the hosts. It is for a
// moment at which what would have made them has arrived.
func (b *bed) expectNoRoute(ctx context.Context, port string, hosts ...string) {
	GinkgoHelper()
	Consistently(ctx, func(ctx context.Context) (map[string][]string, error) {
		held, err := sidecar.Of(b.client).Routes(ctx)
		known := map[string][]string{}
		for _, host := range hosts {
			if clusters := destinations(held, port, host); clusters != nil {
				known[host] = clusters
			}
		}
		return known, err
	}, timing.Quiet, timing.Poll).Should(BeEmpty(), "clusters to which the client's proxy sends port %s of hosts that it should not know", port)
	sidecar.ReplayDump(b.client, "dynamic_route_configs")
	evidence.Config("route on port "+port, "none for %q", hosts)
}

// awaitEndpoint waits until a proxy sends a cluster's requests to just that address.
func awaitEndpoint(ctx context.Context, held proxy.Proxy, cluster, address string) {
	GinkgoHelper()
	Eventually(ctx, held.EndpointsOf, timing.Push(), timing.Poll).WithArguments(cluster).Should(
		HaveExactElements(And(HaveField("Address", address), HaveField("Healthy", BeTrue()))), "proxy of %s, endpoints of %s", held.Pod, cluster)
}

// awaitResolved is awaitEndpoint for what the client's proxy asks DNS for.
func (b *bed) awaitResolved(ctx context.Context, cluster, address string) {
	GinkgoHelper()
	awaitEndpoint(ctx, sidecar.Of(b.client), cluster, address)
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- pilot-agent request GET clusters", b.client.Namespace, b.client.Name, sidecar.Container)
	evidence.Config("endpoint of "+cluster, "%s", address)
}

// serverNames are the clusters to which a listener's chains send TLS connections, by server name;
// chains for any name stand under the empty one.
func serverNames(chains []envoy.Chain) (map[string][]string, error) {
	names := map[string][]string{}
	for _, chain := range chains {
		clusters, err := envoy.TCPDestinations(chain)
		if err != nil {
			return nil, err
		}
		matched := chain.Proto.GetFilterChainMatch().GetServerNames()
		if len(matched) == 0 {
			matched = []string{""}
		}
		for _, name := range matched {
			names[name] = append(names[name], clusters...)
		}
	}
	return names, nil
}

// connections reads the serverNames of a listener of the client's proxy.
func (b *bed) connections(listener string) func(context.Context) (map[string][]string, error) {
	return func(ctx context.Context) (map[string][]string, error) {
		chains, err := sidecar.Of(b.client).Chains(ctx, listener)
		if err != nil {
			return nil, err
		}
		return serverNames(chains)
	}
}

// listeners reads the names of the client's proxy's listeners.
func (b *bed) listeners(ctx context.Context) ([]string, error) {
	held, err := sidecar.Of(b.client).Listeners(ctx)
	var names []string
	for _, listener := range held {
		names = append(names, listener.GetName())
	}
	return names, err
}

// clustersOf reads which of the hosts the client's proxy has clusters for, and of which type these are.
func (b *bed) clustersOf(hosts ...string) func(context.Context) (map[string]string, error) {
	return func(ctx context.Context) (map[string]string, error) {
		held, err := sidecar.Of(b.client).Clusters(ctx)
		types := map[string]string{}
		for _, cluster := range held {
			if _, _, _, host, ok := envoy.ServiceOf(cluster.GetName()); ok && slices.Contains(hosts, host) {
				types[cluster.GetName()] = cluster.GetType().String()
			}
		}
		return types, err
	}
}
