package targetref

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
	"mesh-conformance/suites/internal/xds/envoy"
)

// The Gateways have no pods: an xDS client asks the data plane's istiod what their proxies would get. Of the kinds this one
// alone is tried, with a rule that matches no other spec's requests: whatever a build makes of it, it reaches everybody.
var _ = Describe("In the root namespace, an AuthorizationPolicy with a targetRef", Ordered, ContinueOnFailure, Label(catalogue.TargetRefAuthorizationPolicy), func() {
	const policy, named, other = "targetref-root", "targetref-root", "targetref-root-other"
	var elsewhere string

	evidence.BeforeAll(func(ctx SpecContext) {
		elsewhere = kube.NewNamespace(ctx, "targetref-root")
		kube.Apply(ctx, elsewhere, "targetref/root-listeners.yaml")
		DeferCleanup(func(ctx SpecContext) { kube.Remove[securityv1.AuthorizationPolicy](ctx, mesh.Namespace, policy) })
		kube.Apply(ctx, mesh.Namespace, "targetref/root-policy.yaml")
	})

	// filtersOf are the HTTP filters of the proxy of a Gateway.
	filtersOf := func(ctx context.Context, namespace, name string) ([]match.Held, error) {
		plane := mesh.Dataplane()
		snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, plane.Revision, xds.Node{
			Kind: xds.Router, Namespace: namespace, Pod: name, IP: "198.51.100.30",
			Labels: map[string]string{gateway.NameLabel(): name}, IstioVersion: session.Job().Cell.Istio,
		})
		if err != nil {
			return nil, err
		}
		listener, err := snapshot.Listener("0.0.0.0_80")
		if err != nil {
			return nil, err
		}
		chains, err := envoy.Chains(listener)
		if err != nil {
			return nil, err
		}
		held := match.Held{By: "HTTP filters of Gateway " + namespace + "/" + name}
		for _, chain := range chains {
			held.Chains = append(held.Chains, envoy.Names(chain.HTTP))
		}
		return []match.Held{held}, nil
	}
	record := func(ctx context.Context, namespace, name string) {
		GinkgoHelper()
		seen, err := filtersOf(ctx, namespace, name)
		Expect(err).NotTo(HaveOccurred())
		evidence.Config(seen[0].By, "%q", seen[0].Chains)
	}

	BeforeEach(func(ctx SpecContext) {
		By("waiting until the Gateway of the root namespace has the policy")
		Eventually(ctx, filtersOf, timing.Push(), timing.Poll).WithArguments(mesh.Namespace, named).Should(haveFilter(rbac))
		record(ctx, mesh.Namespace, named)
	})

	It("reaches the Gateway of the root namespace that it names, and no Gateway of another name", spec.ID("targetref.authorizationpolicy.root-named-gateway"), func(ctx SpecContext) {
		Consistently(ctx, filtersOf, timing.Quiet, timing.Poll).WithArguments(mesh.Namespace, other).Should(haveNoFilter(rbac))
		record(ctx, mesh.Namespace, other)
		Expect(filtersOf(ctx, elsewhere, other)).To(haveNoFilter(rbac))
		record(ctx, elsewhere, other)
	})

	// "namespace is the namespace of the referent. When unspecified, the local namespace is inferred." (istio.io/api,
	// type/v1beta1/selector.proto, PolicyTargetReference)
	It("touches no Gateway of the same name in another namespace", spec.ID("targetref.authorizationpolicy.root-not-namesake"), func(ctx SpecContext) {
		Consistently(ctx, filtersOf, timing.Quiet, timing.Poll).WithArguments(elsewhere, named).Should(haveNoFilter(rbac),
			"the policy is of another namespace than the Gateway")
	})
})
