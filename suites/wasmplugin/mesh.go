package wasmplugin

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
)

// requests are how many one measurement sends.
const requests = 20

// header is where the module leaves the names of its plugins, in requests and in responses.
const header = "x-wasm"

// The messages that configure a plugin's filter: its module or, where that cannot be had and need not, a
// filter that allows everything.
const (
	moduleHTTP    = "envoy.extensions.filters.http.wasm.v3.Wasm"
	moduleNetwork = "envoy.extensions.filters.network.wasm.v3.Wasm"
	allowHTTP     = "envoy.extensions.filters.http.rbac.v3.RBAC"
	allowNetwork  = "envoy.extensions.filters.network.rbac.v3.RBAC"
)

// mesh is a server with a port for every plugin and, but where others call it, a client. Both have sidecars of
// one worker. It has what serves the module to them.
type mesh struct {
	ns             string
	server, client *echo.Workload
}

// build applies plugins before the workloads that they are for: a proxy takes no traffic before its
// plugins are there, so what is measured does not depend on when a change reaches a worker.
func build(ctx context.Context, ns string, plugins ...string) mesh {
	GinkgoHelper()
	serveModules(ctx, ns)
	for _, fixture := range append(plugins, "wasmplugin/server.yaml", "wasmplugin/client.yaml") {
		kube.Apply(ctx, ns, fixture)
	}
	workloads := echo.Await(ctx, ns, "server", "client")
	built := mesh{ns: ns, server: workloads["server"], client: workloads["client"]}
	sidecar.AwaitReach(ctx, built.client, built.server)
	return built
}

// serveModules puts into a namespace what proxies fetch modules from.
func serveModules(ctx context.Context, ns string) {
	GinkgoHelper()
	kube.Apply(ctx, ns, "wasmplugin/modules.yaml")
	Expect(kube.Shared().WaitAvailable(ctx, ns, "modules")).To(Succeed())
}

// filter is the name that a plugin's filter has.
func (m mesh) filter(plugin string) string { return m.ns + "." + plugin }

// url of a port of the server, by the number that the Service has for it.
func (m mesh) url(scheme string, port int) string {
	return fmt.Sprintf("%s://server.%s.svc.cluster.local:%d", scheme, m.ns, port)
}

// ask sends requests to a port of the server once and records which plugins they passed.
func (m mesh) ask(ctx context.Context, port int) echo.Answers {
	GinkgoHelper()
	answers := m.client.Measure(ctx, m.url("http", port)+"/", requests)
	var passed []string
	for _, answer := range answers.All {
		passed = append(passed, fmt.Sprintf("%q", answer.RequestHeaders.Values(header)))
	}
	evidence.Traffic(fmt.Sprintf("plugins before port %d, request by request", port), "%s", passed)
	return answers
}

// awaitConfigured waits until a proxy uses a configuration of that message for the plugin's filter.
func awaitConfigured(ctx context.Context, held proxy.Proxy, filter, message string) {
	GinkgoHelper()
	Eventually(ctx, held.DiscoveredFilters, timing.Push(), timing.Poll).Should(HaveKeyWithValue(filter, message), "%s, configuration of filters", held)
	evidence.Config("filter "+filter+" of "+held.String(), "%s", message)
	evidence.Replay("kubectl exec -n %s %s -c %s -- pilot-agent request GET 'config_dump?mask=ecds_filters'", held.Namespace, held.Pod, sidecar.Container)
}

// awaitModule is awaitConfigured for the server's sidecar and a filter that runs its module.
func (m mesh) awaitModule(ctx context.Context, plugin, message string) {
	GinkgoHelper()
	awaitConfigured(ctx, sidecar.Of(m.server), m.filter(plugin), message)
}
