package gatewaydeploy

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

var _ = Describe("What istiod made for a Gateway", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployManaged), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "gateway-drift")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/web.yaml")
		gateway.AwaitManaged(ctx, ns, "web")
	})

	// Each spec takes away some of it.
	BeforeEach(func(ctx SpecContext) { gateway.AwaitManaged(ctx, ns, "web") })

	It("is made again after somebody deletes the Service", spec.ID("gatewaydeploy.managed.service-made-again"), func(ctx SpecContext) {
		lost, err := gateway.Service(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		kube.Remove[corev1.Service](ctx, ns, lost.Name)
		Eventually(ctx, gateway.Service(ns, "web"), timing.Push(), timing.Poll).Should(HaveField("UID", Not(Equal(lost.UID))), "the deleted Service is not made again")
		evidence.Look(ns, "service", lost.Name)
		evidence.API("Service "+lost.Name, "made again, another UID than %s", lost.UID)
	})

	It("is made again after somebody deletes the Deployment", spec.ID("gatewaydeploy.managed.deployment-made-again"), func(ctx SpecContext) {
		lost, err := gateway.Deployment(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		kube.Remove[appsv1.Deployment](ctx, ns, lost.Name)
		Eventually(ctx, gateway.Deployment(ns, "web"), timing.Push(), timing.Poll).Should(HaveField("UID", Not(Equal(lost.UID))), "the deleted Deployment is not made again")
		evidence.Look(ns, "deployment", lost.Name)
		evidence.API("Deployment "+lost.Name, "made again, another UID than %s", lost.UID)
	})

	It("is repaired where istiod owns the field, and only there", spec.ID("gatewaydeploy.managed.field-repaired"), func(ctx SpecContext) {
		made, err := gateway.Deployment(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		image := made.Spec.Template.Spec.Containers[0].Image

		By("changing, in one write, the image, which istiod applies, and the scale, which it does not")
		replicas := int32(3)
		kube.Change(ctx, ns, made.Name, func(found *appsv1.Deployment) {
			found.Spec.Template.Spec.Containers[0].Image = "example.invalid/drifted"
			found.Spec.Replicas = &replicas
		})
		Eventually(ctx, gateway.Deployment(ns, "web"), timing.Push(), timing.Poll).Should(
			WithTransform(func(found *appsv1.Deployment) string { return found.Spec.Template.Spec.Containers[0].Image }, Equal(image)), "istiod does not repair Deployment %s", made.Name)
		Consistently(ctx, gateway.Deployment(ns, "web"), timing.Quiet, timing.Poll).Should(
			HaveField("Spec.Replicas", HaveValue(Equal(replicas))), "istiod does not leave Deployment %s its scale", made.Name)
		evidence.Look(ns, "deployment", made.Name)
		evidence.API("Deployment "+made.Name, "image is %s again, replicas stay %d", image, replicas)
	})

	It("is let go once it no longer bears istiod's label", spec.ID("gatewaydeploy.managed.let-go-without-label"), func(ctx SpecContext) {
		By("taking the label from the Service and changing a field that istiod would repair")
		const drifted = "drifted"
		kube.Change(ctx, ns, gateway.ManagedName("web"), func(found *corev1.Service) {
			delete(found.Labels, gateway.ManagedLabel)
			found.Spec.Selector[gateway.NameLabel()] = drifted
		})
		By("waiting until istiod has acted on a later change of the Gateway")
		kube.Change(ctx, ns, "web", func(found *gatewayv1.Gateway) {
			found.Labels = map[string]string{"example.com/round": "later"}
		})
		Eventually(ctx, gateway.Deployment(ns, "web"), timing.Push(), timing.Poll).Should(
			HaveField("Labels", HaveKeyWithValue("example.com/round", "later")), "istiod does not act on Gateway web's label")
		Consistently(ctx, gateway.Service(ns, "web"), timing.Quiet, timing.Poll).Should(SatisfyAll(
			HaveField("Spec.Selector", HaveKeyWithValue(gateway.NameLabel(), drifted)),
			HaveField("Labels", Not(HaveKey("example.com/round"))),
		), "istiod writes to a Service without its label")
		evidence.Look(ns, "service", gateway.ManagedName("web"))
		evidence.API("Service "+gateway.ManagedName("web"), "without label %s it keeps what somebody else wrote", gateway.ManagedLabel)
	})
})
