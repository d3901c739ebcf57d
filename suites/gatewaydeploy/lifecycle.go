package gatewaydeploy

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

const serviceTypeAnnotation = "networking.istio.io/service-type"

// podsOf lists the names of a gateway's pods.
func podsOf(namespace, name string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var pods corev1.PodList
		err := kube.Shared().Client.List(ctx, &pods, ctrl.InNamespace(namespace), ctrl.MatchingLabels{gateway.NameLabel(): name})
		names := make([]string, 0, len(pods.Items))
		for _, pod := range pods.Items {
			names = append(names, pod.Name)
		}
		return names, err
	}
}

var _ = Describe("A managed gateway that has a sibling", Ordered, ContinueOnFailure, Label(catalogue.GatewayDeployManaged), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "gateway-life")
		kube.Apply(ctx, ns, "gatewaydeploy/web.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/sibling.yaml")
		gateway.AwaitManaged(ctx, ns, "web")
		gateway.AwaitManaged(ctx, ns, "sibling")
	})

	It("switches to a ClusterIP Service, and its status to the Service's name", spec.ID("gatewaydeploy.managed.becomes-clusterip"), func(ctx SpecContext) {
		external := gateway.AwaitProgrammed(ctx, ns, "web", gatewayv1.IPAddressType)
		beside := gateway.AwaitProgrammed(ctx, ns, "sibling", gatewayv1.IPAddressType)
		kube.Change(ctx, ns, "web", func(found *gatewayv1.Gateway) {
			if found.Annotations == nil {
				found.Annotations = map[string]string{}
			}
			found.Annotations[serviceTypeAnnotation] = string(corev1.ServiceTypeClusterIP)
		})
		Eventually(ctx, gateway.Service(ns, "web"), timing.Push(), timing.Poll).Should(HaveField("Spec.Type", corev1.ServiceTypeClusterIP), "Service %s does not follow the annotation", gateway.ManagedName("web"))
		internal := gateway.AwaitProgrammed(ctx, ns, "web", gatewayv1.HostnameAddressType)
		Expect(internal).To(Equal(gateway.ManagedName("web") + "." + ns + ".svc.cluster.local"))
		evidence.Replay("kubectl get gateway,service -n %s", ns)
		evidence.API("Gateway web", "address %s became %s", external, internal)

		By("looking at the sibling, which was not asked to")
		Expect(gateway.Service(ns, "sibling")(ctx)).To(HaveField("Spec.Type", corev1.ServiceTypeLoadBalancer), "the sibling's Service")
		Expect(gateway.AwaitProgrammed(ctx, ns, "sibling", gatewayv1.IPAddressType)).To(Equal(beside))
		evidence.API("Gateway sibling", "keeps address %s", beside)
	})

	It("takes its Deployment and Service with it when it is deleted, and nobody else's", spec.ID("gatewaydeploy.managed.deleted-with-gateway"), func(ctx SpecContext) {
		keptDeployment, keptService, err := madeFor(ctx, ns, "sibling")
		Expect(err).NotTo(HaveOccurred())

		By("making sure that the garbage collector will know whose they are")
		owner, err := gateway.Get(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		lostDeployment, lostService, err := madeFor(ctx, ns, "web")
		Expect(err).NotTo(HaveOccurred())
		for kind, made := range map[string]metav1.Object{"Deployment": lostDeployment, "Service": lostService} {
			Expect(made.GetOwnerReferences()).To(HaveExactElements(HaveField("UID", owner.UID)),
				"%s %s is not owned by its Gateway and would outlive it", kind, made.GetName())
		}

		kube.Remove[gatewayv1.Gateway](ctx, ns, "web")
		Eventually(ctx, deployedIn(ns), timing.Gone(), timing.Poll).Should(beOnlyThatOf("sibling"), "what was made for the deleted Gateway remains")
		Eventually(ctx, podsOf(ns, "web"), timing.Gone(), timing.Poll).Should(BeEmpty(), "pods of the deleted Gateway remain")
		// Nothing may bring them back.
		Consistently(ctx, deployedIn(ns), timing.Quiet, timing.Poll).Should(beOnlyThatOf("sibling"), "what was made for the deleted Gateway came back")
		evidence.Replay("kubectl get deployment,service,pod -n %s", ns)
		evidence.API("Gateway web", "deleted; its Deployment, Service and pods are gone")

		By("looking at the sibling")
		Expect(gateway.Deployment(ns, "sibling")(ctx)).To(HaveField("UID", keptDeployment.UID), "the sibling's Deployment")
		Expect(gateway.Service(ns, "sibling")(ctx)).To(HaveField("UID", keptService.UID), "the sibling's Service")
		evidence.API("Gateway sibling", "keeps its Deployment and Service")
	})
})
