// Package sidecar waits until the proxies of echo workloads hold what a measurement depends on.
package sidecar

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// Container is the name of the container that the injector adds.
const Container = "istio-proxy"

// Of is the proxy beside a workload.
func Of(workload *echo.Workload) proxy.Proxy {
	return proxy.Of(kube.Shared(), workload.Namespace, workload.Pod.Name)
}

// Inbound reads the filter chains through which a workload's sidecar lets requests in.
func Inbound(workload *echo.Workload) func(context.Context) ([]envoy.Chain, error) {
	held := Of(workload)
	return func(ctx context.Context) ([]envoy.Chain, error) { return held.Chains(ctx, "virtualInbound") }
}

// AwaitInbound waits until a workload's sidecar lets requests in as the matcher wants.
func AwaitInbound(ctx context.Context, workload *echo.Workload, want types.GomegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, Inbound(workload), timing.Push(), timing.Poll).Should(want, "sidecar of %s.%s", workload.Name, workload.Namespace)
	ReplayDump(workload, "dynamic_listeners")
}

// AwaitReach waits until the caller's sidecar knows the pod behind the other workload's Service: until
// then, what comes back says nothing about the other's policy.
func AwaitReach(ctx context.Context, from, to *echo.Workload) {
	GinkgoHelper()
	cluster := "outbound|80||" + to.Name + "." + to.Namespace + ".svc.cluster.local"
	Eventually(ctx, Of(from).EndpointsOf, timing.Push(), timing.Poll).WithArguments(cluster).
		Should(ConsistOf(And(HaveField("Address", HavePrefix(to.Pod.Status.PodIP+":")), HaveField("Healthy", BeTrue()))),
			"sidecar of %s.%s, endpoints of %s", from.Name, from.Namespace, cluster)
}

// ReplayDump records how a user looks at a part of a sidecar's configuration, by the name that Envoy's
// config_dump has for it.
func ReplayDump(workload *echo.Workload, resource string) {
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- pilot-agent request GET 'config_dump?resource=%s'",
		workload.Namespace, workload.Name, Container, resource)
}

// ReplayDumpOf is ReplayDump for any proxy, that of a gateway as well.
func ReplayDumpOf(held proxy.Proxy, resource string) {
	evidence.Replay("kubectl exec -n %s %s -c %s -- pilot-agent request GET 'config_dump?resource=%s'", held.Namespace, held.Pod, Container, resource)
}
