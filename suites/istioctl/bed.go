package istioctl

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
)

// proxies are what istioctl is asked about.
type proxies struct {
	namespace string
	// workloads by their Deployment's name: server with a sidecar, front-door a gateway, and the emulated
	// waypoint, ztunnel and istiod.
	workloads map[string]*echo.Workload
}

// of is the proxy of a workload.
func (p *proxies) of(name string) proxy.Proxy {
	return proxy.Of(kube.Shared(), p.namespace, p.workloads[name].Pod.Name)
}

// nodeID is what pilot-agent calls a pod's proxy.
func nodeID(kind string, pod *corev1.Pod) string {
	return fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", kind, pod.Status.PodIP, pod.Name, pod.Namespace, pod.Namespace)
}

// One deployment for all of them: pods are what costs most.
var _ = Describe("istioctl", Ordered, ContinueOnFailure, Label(catalogue.Istioctl), func() {
	var bed proxies

	evidence.BeforeAll(func(ctx SpecContext) {
		namespace := kube.NewNamespace(ctx, "istioctl-proxies", kube.Injected)
		kube.Apply(ctx, namespace, "istioctl/proxies.yaml")
		kube.Apply(ctx, namespace, "istioctl/shapes.yaml")
		bed = proxies{namespace, echo.Await(ctx, namespace, "server", "front-door", "waypoint", "ztunnel", "istiod")}

		By("waiting until the gateway has its route")
		front := bed.of("front-door")
		Eventually(ctx, func(ctx context.Context) ([]string, error) {
			routes, err := front.Routes(ctx)
			var names []string
			for _, route := range routes {
				names = append(names, route.GetName())
			}
			return names, err
		}, timing.Push(), timing.Poll).Should(ContainElement("http.8080"), "routes of %s", front)
	})

	dashboards(&bed)
	versions(&bed)
	proxyConfig(&bed)
	descriptions(&bed)
	prechecks(&bed)
	gatewayPorts(&bed)
})
