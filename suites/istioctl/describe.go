package istioctl

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// descriptions are the specs on x describe.
func descriptions(bed *proxies) {
	It("names, by x describe, the address of the injected gateway that exposes a workload", spec.ID("istioctl.describe-gateway-address"), func(ctx SpecContext) {
		front, back := addressOf(ctx, bed.namespace, "front-door"), addressOf(ctx, bed.namespace, "back-door")
		Expect(front).NotTo(Equal(back))
		arguments := []string{
			"experimental", "describe", "pod", bed.workloads["server"].Pod.Name + "." + bed.namespace,
			"--namespace=" + bed.namespace, "--istioNamespace=" + bed.namespace,
		}
		outcome := istioctl.Subject().Run(ctx, arguments...)
		Expect(outcome).To(istioctl.Exit(0, "Exposed on Ingress Gateway http://"+front+"\n", "VirtualService: front-door"))
		evidence.API("x describe", "Exposed on Ingress Gateway http://%s", front)

		By("asking the release before, which takes the Service with the label for the gateway's")
		Expect(istioctl.Before().Run(ctx, arguments...)).To(istioctl.Exit(0, "Exposed on Ingress Gateway http://"+back+"\n"))
	})
}

// addressOf waits for the address of a Service.
func addressOf(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	var address string
	Eventually(ctx, func(ctx context.Context) (string, error) {
		service, err := kube.Getter[corev1.Service](namespace, name)(ctx)
		if err != nil {
			return "", err
		}
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			address = ingress.IP
		}
		return address, nil
	}, timing.Push(), timing.Poll).ShouldNot(BeEmpty(), "address of Service %s", name)
	return address
}
