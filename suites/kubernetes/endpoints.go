package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// asked is how many requests a measurement makes: with three servers that a sidecar chooses from at random,
// one that gets none of them is out of the question.
const asked = 120

// ready gives the addresses that the EndpointSlices of a Service have ready, sorted.
func ready(slicesOf []discoveryv1.EndpointSlice) []string {
	var addresses []string
	for _, slice := range slicesOf {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	slices.Sort(addresses)
	return addresses
}

// readyOf asks for them.
func readyOf(ns, service string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list, err := kube.Shared().Clientset.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		if err != nil {
			return nil, fmt.Errorf("EndpointSlices of Service %s: %w", service, err)
		}
		return ready(list.Items), nil
	}
}

// hosts are the pods that answered, each once, sorted.
func hosts(answers echo.Answers) []string {
	var names []string
	for _, answer := range answers.All {
		names = append(names, answer.Hostname)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var _ = Describe("A sidecar's endpoints", SpecPriority(timing.PriorityMedium), Label(catalogue.Kubernetes, catalogue.Smoke), func() {
	It("follow the EndpointSlices of a Deployment that is scaled from one to three and back", spec.ID("kubernetes.endpointslices-followed"), func(ctx SpecContext) {
		inside, outside := kube.NewNamespace(ctx, "kubernetes-client", kube.Injected), kube.NewNamespace(ctx, "kubernetes-server")
		server := echo.Deploy(ctx, outside, "server")["server"]
		client := echo.Deploy(ctx, inside, "client")["client"]
		cluster := fmt.Sprintf("outbound|80||server.%s.svc.cluster.local", outside)

		for _, step := range []struct{ from, to int32 }{{1, 1}, {1, 3}, {3, 1}} {
			By(fmt.Sprintf("scaling from %d to %d", step.from, step.to))
			if step.from != step.to {
				kube.Change(ctx, outside, "server", func(found *appsv1.Deployment) { found.Spec.Replicas = &step.to })
			}
			var addresses []string
			Eventually(ctx, readyOf(outside, "server"), timing.Rollout(), timing.Poll).Should(SatisfyAll(
				WithTransform(func(found []string) bool { addresses = found; return true }, BeTrue()),
				HaveLen(int(step.to)),
			), "addresses that the EndpointSlices of Service server have ready")
			var wanted []any
			for _, address := range addresses {
				wanted = append(wanted, proxy.Endpoint{Address: address + ":8080", Healthy: true})
			}
			Eventually(ctx, sidecar.Of(client).EndpointsOf, timing.Push(), timing.Poll).WithArguments(cluster).Should(ConsistOf(wanted...),
				"sidecar of client, endpoints of %s with %d pods", cluster, step.to)
			evidence.Config(fmt.Sprintf("endpoints with %d pods", step.to), "%s, as in the EndpointSlices", strings.Join(addresses, ", "))

			answers := client.Measure(ctx, server.URL("/"), asked)
			Expect(answers).To(match.HaveStatus(200))
			Expect(hosts(answers)).To(HaveLen(int(step.to)), "pods that answered")
			if step.to == 1 && step.from == 1 {
				Expect(answers).To(match.BeServedBy(server))
			}
		}
		evidence.Look(outside, "endpointslices", "--selector "+discoveryv1.LabelServiceName+"=server")
	})
})
