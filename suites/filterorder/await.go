package filterorder

import (
	"context"
	"fmt"
	"slices"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// What the sidecars of fixtures/filterorder/guarded.yaml run before requests come in. The default plane leaves
// out Istio's own filters.
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

// awaitFilters waits until a workload's sidecar has filters, in whatever order, and writes traces.
func awaitFilters(ctx context.Context, workload *echo.Workload, want []string) {
	GinkgoHelper()
	Eventually(ctx, held(workload), timing.Push, timing.Poll).Should(hold(want), "HTTP filters of %s's sidecar", workload.Name)
	Eventually(ctx, loggers(workload), timing.Push, timing.Poll).Should(HaveEach(ContainElement("filterorder")), "access logs of %s's sidecar", workload.Name)
	sidecar.ReplayDump(workload, "dynamic_listeners")
}

// held are the HTTP filters through which a workload's sidecar lets requests in.
func held(workload *echo.Workload) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		chains, err := echoChains(ctx, workload)
		if err != nil {
			return nil, err
		}
		steps, err := stepsOfChains(workload.Namespace, chains, true)
		return names(steps), err
	}
}

// loggers are the names of the access logs that a workload's sidecar keeps of requests, chain by chain.
func loggers(workload *echo.Workload) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		chains, err := echoChains(ctx, workload)
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
}

// echoChains are those through which requests come to an echo workload.
func echoChains(ctx context.Context, workload *echo.Workload) ([]envoy.Chain, error) {
	chains, err := sidecar.Inbound(workload)(ctx)
	return slices.DeleteFunc(chains, func(chain envoy.Chain) bool {
		return chain.Proto.GetFilterChainMatch().GetDestinationPort().GetValue() != echo.Port
	}), err
}

// awaitAuthorizer waits until a sidecar knows the pod behind the provider ext-authz.
func awaitAuthorizer(ctx context.Context, asking, authorizer *echo.Workload) {
	GinkgoHelper()
	const cluster = "outbound|80||ext-authz.dataplane.internal"
	Eventually(ctx, sidecar.Of(asking).EndpointsOf, timing.Push, timing.Poll).WithArguments(cluster).
		Should(ConsistOf(HaveField("Address", HavePrefix(authorizer.Pod.Status.PodIP+":"))), "sidecar of %s, endpoints of %s", asking.Name, cluster)
}

// awaitPlugins waits until a workload's sidecar runs the modules of plugins.
func awaitPlugins(ctx context.Context, workload *echo.Workload, plugins ...string) {
	GinkgoHelper()
	for _, plugin := range plugins {
		Eventually(ctx, sidecar.Of(workload).DiscoveredFilters, timing.Push, timing.Poll).
			Should(HaveKeyWithValue(workload.Namespace+"."+plugin, "envoy.extensions.filters.http.wasm.v3.Wasm"), "plugins of %s's sidecar", workload.Name)
	}
}
