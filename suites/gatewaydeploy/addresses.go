package gatewaydeploy

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// staticAddress is the address of Gateway web in gatewaydeploy/static-addresses.yaml.
const staticAddress = "192.0.2.10"

var _ = Describe("A static address", Label(catalogue.GatewayDeployManaged), func() {
	It("is asked of the Service of the Gateway that has it", spec.ID("gatewaydeploy.managed.static-address"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-static")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/static-addresses.yaml")

		By("waiting until istiod has made the Service of the Gateway with an address")
		gateway.AwaitManaged(ctx, ns, "web")
		Expect(gateway.Service(ns, "web")(ctx)).To(HaveField("Spec.LoadBalancerIP", staticAddress), "Service of the Gateway with an address")
		Eventually(ctx, gateway.Get(ns, "web"), timing.Push(), timing.Poll).Should(
			match.HaveCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue, gatewayv1.GatewayReasonAccepted))
		evidence.Look(ns, "gateway", "web", "sibling")
		evidence.API("Gateway web, one address", "Accepted=True; Service %s asks for loadBalancerIP %s", gateway.ManagedName("web"), staticAddress)

		By("looking at the Gateway without one")
		gateway.AwaitManaged(ctx, ns, "sibling")
		Expect(gateway.Service(ns, "sibling")(ctx)).To(HaveField("Spec.LoadBalancerIP", BeEmpty()), "Service of the Gateway without an address")
		evidence.API("Gateway sibling, no address", "Service %s asks for none", gateway.ManagedName("sibling"))
	})
})
