package filterorder

import (
	"context"
	"fmt"
	"slices"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// What the proxies of fixtures/filterorder/guarded.yaml and gateway-guarded.yaml run before requests come in. The
// default plane leaves out Istio's own filters.
var (
	guardedFilters = []string{
		"envoy.filters.http.rbac CUSTOM (custom)",
		"envoy.filters.http.ext_authz",
		"wasm http-authn",
		"envoy.filters.http.jwt_authn",
		"istio_authn",
		"wasm http-authz",
		"envoy.filters.http.rbac AUDIT (audit)",
		"envoy.filters.http.rbac DENY (deny)",
		"envoy.filters.http.rbac ALLOW (allow)",
		"wasm http-stats",
		"wasm http-unspecified",
		"envoy.filters.http.grpc_stats",
		"envoy.filters.http.fault",
		"envoy.filters.http.cors",
		"envoy.filters.http.router",
	}
	missingFilters = []string{
		"envoy.filters.http.rbac CUSTOM without a provider (missing)",
		"envoy.filters.http.grpc_stats",
		"envoy.filters.http.fault",
		"envoy.filters.http.cors",
		"envoy.filters.http.router",
	}
)

// guard is a proxy whose filters requests have to pass.
type guard struct {
	held proxy.Proxy
	// name is for messages and reports.
	name string
	// chains are those through which requests come in.
	chains func(context.Context) ([]envoy.Chain, error)
}

// beside is the sidecar of an echo workload.
func beside(workload *echo.Workload) guard {
	return guard{sidecar.Of(workload), workload.Name + "'s sidecar", func(ctx context.Context) ([]envoy.Chain, error) {
		chains, err := sidecar.Inbound(workload)(ctx)
		return slices.DeleteFunc(chains, func(chain envoy.Chain) bool {
			return chain.Proto.GetFilterChainMatch().GetDestinationPort().GetValue() != echo.Port
		}), err
	}}
}

// before is the proxy of a managed gateway.
func before(ctx context.Context, namespace, name string) guard {
	GinkgoHelper()
	held, err := gateway.ProxyOf(ctx, namespace, name)
	Expect(err).NotTo(HaveOccurred())
	return guard{held, "Gateway " + name, func(ctx context.Context) ([]envoy.Chain, error) { return held.Chains(ctx, gatewayHTTP.listener) }}
}

// awaitFilters waits until a proxy has filters, in whatever order, and writes traces.
func awaitFilters(ctx context.Context, at guard, want []string) {
	GinkgoHelper()
	Eventually(ctx, at.filters, timing.Push(), timing.Poll).Should(hold(want), "HTTP filters of %s", at.name)
	Eventually(ctx, at.loggers, timing.Push(), timing.Poll).Should(HaveEach(ContainElement("filterorder")), "access logs of %s", at.name)
	sidecar.ReplayDumpOf(at.held, "dynamic_listeners")
}

// filters are the HTTP filters through which a proxy lets requests in.
func (g guard) filters(ctx context.Context) ([]string, error) {
	chains, err := g.chains(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := stepsOfChains(g.held.Namespace, chains, true)
	return names(steps), err
}

// loggers are the names of the access logs that a proxy keeps of requests, chain by chain.
func (g guard) loggers(ctx context.Context) ([][]string, error) {
	chains, err := g.chains(ctx)
	if err != nil {
		return nil, err
	}
	var all [][]string
	for _, chain := range chains {
		var manager hcmv3.HttpConnectionManager
		filter, _ := envoy.Named(chain.Network, "envoy.filters.network.http_connection_manager")
		if err := filter.Config.UnmarshalTo(&manager); err != nil {
			return nil, fmt.Errorf("filter chain %q: %w", chain.Name, err)
		}
		var names []string
		for _, log := range manager.GetAccessLog() {
			names = append(names, log.GetName())
		}
		all = append(all, names)
	}
	return all, nil
}

// awaitAuthorizer waits until a proxy knows the pod behind one of the default plane's providers of external authorization.
func awaitAuthorizer(ctx context.Context, at guard, provider string, authorizer *echo.Workload) {
	GinkgoHelper()
	cluster := "outbound|80||" + provider + ".dataplane.internal"
	Eventually(ctx, at.held.EndpointsOf, timing.Push(), timing.Poll).WithArguments(cluster).
		Should(ConsistOf(HaveField("Address", HavePrefix(authorizer.Pod.Status.PodIP+":"))), "%s, endpoints of %s", at.name, cluster)
}

// awaitPlugins waits until a proxy runs the modules of the plugins of all phases.
func awaitPlugins(ctx context.Context, at guard) {
	GinkgoHelper()
	for _, plugin := range allPlugins {
		Eventually(ctx, at.held.DiscoveredFilters, timing.Push(), timing.Poll).
			Should(HaveKeyWithValue(at.held.Namespace+".http-"+plugin, "envoy.extensions.filters.http.wasm.v3.Wasm"), "plugins of %s", at.name)
	}
}
