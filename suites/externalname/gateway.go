package externalname

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// gatewayRoutes is the route configuration of a gateway's proxy for port 80.
const gatewayRoutes = "http.80"

// openEntrance waits until the gateway of the bed answers from its address.
func (b *bed) openEntrance(ctx context.Context) {
	GinkgoHelper()
	b.visitor = echo.Visitor{Address: gateway.AwaitProgrammed(ctx, b.namespace, "web", gatewayv1.IPAddressType)}
	var err error
	b.entrance, err = gateway.ProxyOf(ctx, b.namespace, "web")
	Expect(err).NotTo(HaveOccurred())
	// Load balancer and node take a moment of their own. That it knows no such host, the proxy says itself.
	Eventually(ctx, b.visitor.Send, timing.Push(), timing.Poll).WithArguments("http://stranger.example.com/", 1).Should(
		match.HaveStatus(http.StatusNotFound), "the gateway at %s", b.visitor.Address)
	awaitEndpoint(ctx, b.entrance, b.cluster("80", "strict"), b.server.Pod.Status.PodIP+":8080")
	awaitEndpoint(ctx, b.entrance, b.cluster("80", "other-server"), b.other.Pod.Status.PodIP+":8080")
}

// visit waits until the gateway's proxy has a route for a host, and gives the route's clusters and what a
// visitor was answered.
func (b *bed) visit(ctx context.Context, host string) ([]string, echo.Answers) {
	GinkgoHelper()
	var clusters []string
	Eventually(ctx, func(ctx context.Context) (_ []string, err error) {
		clusters, err = routed(b.entrance, gatewayRoutes, host)(ctx)
		return clusters, err
	}, timing.Push(), timing.Poll).ShouldNot(BeEmpty(), "clusters to which the gateway's proxy sends %s", host)
	evidence.Replay("kubectl exec -n %s deploy/%s -- pilot-agent request GET 'config_dump?resource=dynamic_route_configs'", b.namespace, gateway.ManagedName("web"))
	evidence.Config("gateway's route for "+host, "%q", clusters)
	return clusters, b.visitor.Measure(ctx, "http://"+host+"/", requests)
}

// gatewayIdentity is who the servers see calling for the gateway: its service account is called as its Deployment.
func (b *bed) gatewayIdentity() string {
	return (&echo.Workload{Namespace: b.namespace, Name: gateway.ManagedName("web")}).SPIFFE()
}

// gatewayResolvesAliases are specs of aliases as destinations of a gateway's routes.
func gatewayResolvesAliases(b *bed) {
	DescribeTable("stands for its Service at a gateway, over mutual TLS:",
		func(ctx SpecContext, host, concrete string) {
			clusters, answers := b.visit(ctx, host)
			Expect(clusters).To(Equal([]string{b.cluster("80", concrete)}), "clusters to which the gateway's proxy sends %s", host)
			Expect(answers).To(match.HaveStatus(http.StatusOK))
			Expect(answers).To(match.BeServedBy(b.serverOf(concrete)))
			Expect(answers).To(match.HaveSPIFFE(b.gatewayIdentity()))
		},
		Entry("an alias as backend of an HTTPRoute", spec.ID("externalname.gateway-alias-httproute"),
			"with-http-port.example.com", "other-server"),
		Entry("an alias without ports as backend of an HTTPRoute", spec.ID("externalname.gateway-alias-httproute-without-ports"),
			"without-ports.example.com", "strict"),
		Entry("an alias as destination of a gateway's VirtualService", spec.ID("externalname.gateway-alias-virtualservice"),
			"classic.example.com", "other-server"),
	)

	It("leads nowhere at a gateway if what it stands for is not in the registry", spec.ID("externalname.gateway-alias-unregistered"), func(ctx SpecContext) {
		_, answers := b.visit(ctx, "outside.example.com")
		// What the Gateway API says of backends that there are not.
		Expect(answers).To(match.HaveStatus(http.StatusInternalServerError))
	})
}

// gatewaySendsToExternalNames are specs of ExternalName Services that are no aliases as destinations of a
// gateway's routes.
func gatewaySendsToExternalNames(b *bed) {
	It("keeps its own cluster at a gateway", spec.ID("externalname.gateway-own-cluster"), func(ctx SpecContext) {
		for _, host := range []string{"with-http-port.example.com", "classic.example.com"} {
			clusters, answers := b.visit(ctx, host)
			Expect(clusters).To(Equal([]string{b.cluster("80", "of-permissive")}),
				"the gateway's proxy sends ExternalName of-permissive to %q by the route for %s", clusters, host)
			Expect(answers).To(match.HaveSPIFFE(""))
		}
	})

	It("is reached at a gateway if it names what no registry has", spec.ID("externalname.gateway-own-unregistered"), func(ctx SpecContext) {
		_, answers := b.visit(ctx, "outside.example.com")
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(b.bystander))
	})
}
