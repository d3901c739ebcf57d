package istioctl

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

var _ = Describe("istioctl verify-install", Label(catalogue.Istioctl), func() {
	It("counts a Deployment that is not healthy, and fails for it", spec.ID("istioctl.verify-unhealthy-deployment"), func(ctx SpecContext) {
		namespace := kube.NewNamespace(ctx, "istioctl-verify")
		kube.Apply(ctx, namespace, "istioctl/installed.yaml")
		for _, name := range []string{"istio-unhealthy", "istio-healthy"} {
			Eventually(ctx, kube.Getter[appsv1.Deployment](namespace, name), timing.Push(), timing.Poll).
				Should(HaveField("Status.ObservedGeneration", BeNumerically(">", 0)), "Deployment %s", name)
		}
		Eventually(ctx, kube.Getter[appsv1.Deployment](namespace, "istio-unhealthy"), timing.Push(), timing.Poll).
			Should(HaveField("Status.UpdatedReplicas", BeNumerically("==", 1)), "Deployment istio-unhealthy")
		place := newWorkplace()
		file := place.fixture("istioctl/installed.yaml", namespace)
		verify := func(ctx context.Context, binary istioctl.Binary) istioctl.Outcome {
			GinkgoHelper()
			return binary.In(string(place)).Run(ctx, "verify-install", "--filename="+file, "--istioNamespace="+namespace)
		}
		outcome := verify(ctx, istioctl.Subject())
		Expect(outcome).To(istioctl.Exit(1, "0 of 1 updated replicas are available", "Error: Istio installation failed"))
		Expect(outcome).NotTo(Or(istioctl.Say("Checked 0 Istio Deployments"), istioctl.Say("No Istio installation found")))
		evidence.API("verify-install", "Error: Istio installation failed, 0 of 1 updated replicas are available")

		By("asking the release before, which sees no installation at all")
		Expect(verify(ctx, istioctl.Before())).To(istioctl.Exit(1, "Error: no Istio installation found"))

		By("verifying what is healthy")
		kube.Change(ctx, namespace, "istio-unhealthy", func(deployment *appsv1.Deployment) { deployment.Spec.Replicas = new(int32) })
		Eventually(ctx, kube.Getter[appsv1.Deployment](namespace, "istio-unhealthy"), timing.Push(), timing.Poll).
			Should(HaveField("Status.UpdatedReplicas", BeNumerically("==", 0)), "Deployment istio-unhealthy")
		Expect(verify(ctx, istioctl.Subject())).To(istioctl.Exit(0, "Checked 2 Istio Deployments", "Istio is installed and verified successfully"))
	})
})
