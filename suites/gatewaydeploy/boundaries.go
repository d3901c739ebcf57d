package gatewaydeploy

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// istiod is the name under which istiod's gateway controllers own fields.
const istiod = "istio.io/gateway-controller"

// managers are the owners of an object's fields.
func managers(object metav1.Object) []string {
	var names []string
	for _, entry := range object.GetManagedFields() {
		names = append(names, entry.Manager)
	}
	return names
}

var _ = Describe("istiod", Label(catalogue.GatewayDeployManaged), func() {
	It("ignores a Gateway whose class belongs to another controller", spec.ID("gatewaydeploy.managed.foreign-class"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-foreign")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/foreign-class.yaml")

		By("waiting until istiod has acted on a Gateway that came later")
		kube.Apply(ctx, ns, "gatewaydeploy/sibling.yaml")
		gateway.AwaitManaged(ctx, ns, "sibling")
		Eventually(ctx, gateway.Get(ns, "sibling"), timing.Push(), timing.Poll).Should(
			match.HaveCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue, gatewayv1.GatewayReasonAccepted))

		Consistently(ctx, deployedIn(ns), timing.Quiet, timing.Poll).Should(beOnlyThatOf("sibling"), "istiod deployed a gateway of another controller's class")
		evidence.Look(ns, "gateway", "foreign", "sibling")
		found, err := gateway.Get(ns, "foreign")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(managers(found)).To(HaveExactElements(kube.FieldOwner), "somebody else wrote to the Gateway")
		Expect(found.Status.Conditions).NotTo(ContainElement(HaveField("Status", metav1.ConditionTrue)), "Gateway foreign was accepted")
		Expect(found.Status.Addresses).To(BeEmpty(), "Gateway foreign was given an address")
		evidence.API("Gateway foreign", "no Deployment, no Service, no condition of istiod, while Gateway sibling was deployed and accepted")
	})

	It("does not take over a Deployment of the same name that lacks its label", spec.ID("gatewaydeploy.managed.foreign-deployment"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-unlabelled")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/deployments-of-others.yaml")
		By("waiting until controllers have seen both Deployments, istiod among them")
		for _, name := range []string{"web", "sibling"} {
			Eventually(ctx, gateway.Deployment(ns, name), timing.Push(), timing.Poll).Should(HaveField("Status.ObservedGeneration", Not(BeZero())), "Deployment %s", gateway.ManagedName(name))
		}
		before, err := gateway.Deployment(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())

		kube.Apply(ctx, ns, "gatewaydeploy/web.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/sibling.yaml")
		By("waiting until istiod has made the Services, which it does after the Deployments")
		gateway.AwaitManaged(ctx, ns, "web")
		gateway.AwaitManaged(ctx, ns, "sibling")

		Consistently(ctx, gateway.Deployment(ns, "web"), timing.Quiet, timing.Poll).Should(SatisfyAll(
			HaveField("Spec", Equal(before.Spec)),
			HaveField("Labels", Equal(before.Labels)),
			WithTransform(func(found *appsv1.Deployment) []string { return managers(found) }, Not(ContainElement(istiod))),
		), "istiod changed a Deployment that is not its own, %s", before.Name)
		evidence.Look(ns, "deployment", before.Name, gateway.ManagedName("sibling"))
		evidence.API("Deployment "+before.Name, "as its owner wrote it, no field is istiod's")

		By("looking at the one that bears the label")
		taken, err := gateway.Deployment(ns, "sibling")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(managers(taken)).To(ContainElement(istiod), "istiod has not taken over Deployment %s, which bears its label", taken.Name)
		Expect(taken.Spec.Template.Spec.Containers).To(ContainElement(HaveField("Name", sidecar.Container)), "containers of Deployment %s", taken.Name)
		evidence.API("Deployment "+taken.Name, "taken over: it bears label %s", gateway.ManagedLabel)
	})

	It("deploys nothing for a Gateway that points at a Service by Hostname", spec.ID("gatewaydeploy.managed.hostname-address"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-hostname")
		kube.Apply(ctx, ns, "gatewaydeploy/hostname-address.yaml")
		By("waiting until istiod has deployed the Gateway that came later")
		address := gateway.AwaitProgrammed(ctx, ns, "sibling", gatewayv1.IPAddressType)

		Consistently(ctx, deployedIn(ns), timing.Quiet, timing.Poll).Should(beOnlyThatOf("sibling"), "istiod deployed an unmanaged gateway")
		evidence.API("Gateway web", "no Deployment and no Service of its own")

		By("looking at its status, which is that of the Service it points at")
		Eventually(ctx, gateway.Get(ns, "web"), timing.Push(), timing.Poll).Should(SatisfyAll(
			match.HaveCondition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionTrue, gatewayv1.GatewayReasonProgrammed),
			HaveField("Status.Addresses", HaveExactElements(HaveField("Value", address))),
		), "Gateway web, which points at Service %s", gateway.ManagedName("sibling"))
		evidence.Look(ns, "gateway", "web", "sibling")
		evidence.API("Gateway web", "Programmed with address %s of Service %s", address, gateway.ManagedName("sibling"))
	})

	It("reports a listener whose certificate is missing, and only that one, until it is there", spec.ID("gatewaydeploy.managed.missing-certificate"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-certificate")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/https.yaml")
		Eventually(ctx, gateway.Get(ns, "web"), timing.Push(), timing.Poll).Should(SatisfyAll(
			match.HaveListenerCondition("https", gatewayv1.ListenerConditionResolvedRefs, metav1.ConditionFalse, gatewayv1.ListenerReasonInvalidCertificateRef),
			match.HaveListenerCondition("https", gatewayv1.ListenerConditionProgrammed, metav1.ConditionFalse, gatewayv1.ListenerReasonInvalid),
			match.HaveListenerCondition("http", gatewayv1.ListenerConditionResolvedRefs, metav1.ConditionTrue, gatewayv1.ListenerReasonResolvedRefs),
			match.HaveListenerCondition("http", gatewayv1.ListenerConditionProgrammed, metav1.ConditionTrue, gatewayv1.ListenerReasonProgrammed),
		))
		evidence.Look(ns, "gateway", "web")
		evidence.API("listener https", "ResolvedRefs=False (InvalidCertificateRef) and Programmed=False (Invalid); listener http is programmed")

		By("storing the certificate")
		issued, err := certificate.Issue(host)
		Expect(err).NotTo(HaveOccurred())
		Expect(issued.Store(ctx, kube.Shared().Client, ns, "web-certificate")).To(Succeed())
		Eventually(ctx, gateway.Get(ns, "web"), timing.Push(), timing.Poll).Should(SatisfyAll(
			match.HaveListenerCondition("https", gatewayv1.ListenerConditionResolvedRefs, metav1.ConditionTrue, gatewayv1.ListenerReasonResolvedRefs),
			match.HaveListenerCondition("https", gatewayv1.ListenerConditionProgrammed, metav1.ConditionTrue, gatewayv1.ListenerReasonProgrammed),
		))
		evidence.API("listener https", "resolved and programmed once the Secret was there")
	})
})
