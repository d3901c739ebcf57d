// Package targetref proves that policies attach to one Gateway by targetRef, and to nothing beside it.
package targetref

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// requests are how many one measurement sends.
const requests = 10

// site is where a policy that names Gateway gw-a is applied, with all that it must not reach: the sibling
// gw-b, the backend behind both, a Gateway of the same name in another namespace, and a gateway of Istio's own
// API that bears the name.
type site struct {
	// ns is the namespace of the policies; elsewhere has the namesake.
	ns, elsewhere string
	// a, b, namesake and classic lead through a gateway, backend from inside the cluster to the backend.
	a, b, namesake, classic, backend entrance
	// server is the backend of a and b, with a sidecar; outsider calls it from inside the cluster, without one.
	server, outsider *echo.Workload
}

// The kinds share one site, by turns, and each leaves it without policies: what costs is the start and the end
// of its eight pods. The first spec bears the one and the last the other, on a busy machine over 20 s each. It is
// the longest of all containers.
var _ = Describe("Where Gateways share a namespace,", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityLong), func() {
	s := &site{}
	evidence.BeforeAll(func(ctx SpecContext) { s.build(ctx) })

	// First: it ends the gateway of Istio's own API, of which the others say nothing.
	Describe("an AuthorizationPolicy", Label(catalogue.TargetRefAuthorizationPolicy), func() { ofAuthorizationPolicies(s) })
	Describe("a Telemetry that turns on the access log", Label(catalogue.TargetRefTelemetry), func() { ofTelemetries(s) })
	Describe("a WasmPlugin", Label(catalogue.TargetRefWasmPlugin), func() { ofWasmPlugins(s) })
	Describe("a RequestAuthentication", Label(catalogue.TargetRefRequestAuthentication), func() { ofRequestAuthentications(s) })
	// Since 1.21 istiod configures no istio_authn filter.
	Describe("the stand-in for istio_authn", Label(catalogue.TargetRefRequestAuthentication), spec.Until("1.21"), func() { ofStandIn(s) })
})

// build waits until every way into the site answers 200.
func (s *site) build(ctx context.Context) {
	GinkgoHelper()
	s.ns = kube.NewNamespace(ctx, "targetref", kube.Injected)
	s.elsewhere = kube.NewNamespace(ctx, "targetref-elsewhere")
	// All start at once: the waits overlap.
	for _, fixture := range []string{
		"echo/near.yaml", "targetref/gw-a.yaml", "targetref/gw-b.yaml", "targetref/classic.yaml", "echo/server.yaml", "echo/outsider.yaml",
		"wasmplugin/modules.yaml", "targetref/fresh-connections.yaml",
	} {
		kube.Apply(ctx, s.ns, fixture)
	}
	for _, fixture := range []string{"echo/connections.yaml", "targetref/gw-a.yaml", "echo/server.yaml"} {
		kube.Apply(ctx, s.elsewhere, fixture)
	}
	workloads := echo.Await(ctx, s.ns, "server", "outsider")
	s.server, s.outsider = workloads["server"], workloads["outsider"]
	echo.Await(ctx, s.elsewhere, "server")
	// What cannot be fetched is not asked for again: plugins come after their module.
	Expect(kube.Shared().WaitAvailable(ctx, s.ns, "modules")).To(Succeed())

	s.a = byGateway(ctx, s.ns, "gw-a")
	s.b = byGateway(ctx, s.ns, "gw-b")
	s.namesake = byGateway(ctx, s.elsewhere, "gw-a")
	s.classic = byClassic(ctx, s.ns, s.outsider)
	s.backend = bySidecar(s.outsider, s.server)
	awaitOpen(ctx, s.a, s.b, s.namesake, s.classic, s.backend)
}

// all are the entrances that stay as long as the site.
func (s *site) all() []entrance { return []entrance{s.a, s.b, s.namesake, s.backend} }

// clear deletes all objects of a kind and waits until the proxies hold nothing of them: what comes next starts
// with a clean site.
func (s *site) clear(ctx context.Context, kind ctrl.Object, read holding, clean types.GomegaMatcher, entrances ...entrance) {
	GinkgoHelper()
	Expect(kube.Shared().Client.DeleteAllOf(ctx, kind, ctrl.InNamespace(s.ns))).To(Succeed())
	Eventually(ctx, read, timing.Push(), timing.Poll).WithArguments(entrances).Should(clean, "after every %T was deleted", kind)
}
