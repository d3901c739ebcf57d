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

// staticAddress is the one address of the Gateway that may have it, in gatewaydeploy/static-addresses.yaml.
const staticAddress = "192.0.2.10"

// Upstream's GatewayStaticAddresses needs a Gateway with several addresses; this shows why it cannot pass.
var _ = Describe("A static address", Label(catalogue.GatewayDeployManaged), func() {
	It("is asked of the Service where it is the only one, and several are refused as unsupported", spec.ID("gatewaydeploy.managed.static-address"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "gateway-static")
		kube.Apply(ctx, ns, "gatewaydeploy/no-pods.yaml")
		kube.Apply(ctx, ns, "gatewaydeploy/static-addresses.yaml")

		By("waiting until istiod has made the Service of the Gateway with one address")
		gateway.AwaitManaged(ctx, ns, "sibling")
		Expect(gateway.Service(ns, "sibling")(ctx)).To(HaveField("Spec.LoadBalancerIP", staticAddress), "Service of the Gateway with one address")
		Eventually(ctx, gateway.Get(ns, "sibling"), timing.Push(), timing.Poll).Should(
			match.HaveCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue, gatewayv1.GatewayReasonAccepted))
		evidence.API("Gateway sibling, one address", "Accepted=True; Service %s asks for loadBalancerIP %s", gateway.ManagedName("sibling"), staticAddress)

		By("looking at the Gateway with two")
		Eventually(ctx, gateway.Get(ns, "web"), timing.Push(), timing.Poll).Should(
			match.HaveCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionFalse, gatewayv1.GatewayReasonUnsupportedAddress))
		Consistently(ctx, deployedIn(ns), timing.Quiet, timing.Poll).Should(beOnlyThatOf("sibling"), "istiod deployed a gateway that it did not accept")
		evidence.Look(ns, "gateway", "web", "sibling")
		evidence.API("Gateway web, two addresses", "Accepted=False (UnsupportedAddress), no Deployment and no Service")
	})
})
