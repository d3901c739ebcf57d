package targetref

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	appsv1 "k8s.io/api/apps/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
)

// rbac is the filter that decides by AuthorizationPolicies.
const rbac = "envoy.filters.http.rbac"

// ofAuthorizationPolicies leaves the site without any, and without the gateway of Istio's own API.
func ofAuthorizationPolicies(s *site) {
	evidence.BeforeAll(func(SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			s.clear(ctx, &securityv1.AuthorizationPolicy{}, filters, haveNoFilter(rbac), append(s.all(), s.classic)...)
			kube.Remove[appsv1.Deployment](ctx, s.ns, "classic")
		})
	})

	Context("that denies a path at Gateway gw-a", func() {
		var landed landing
		evidence.BeforeAll(func(ctx SpecContext) {
			kube.Apply(ctx, s.ns, "targetref/deny.yaml")
		})
		BeforeEach(func(ctx SpecContext) {
			By("waiting until the proxy of Gateway gw-a holds the policy")
			s.a.await(ctx, haveFilter(rbac))
			landed.seen()
		})

		It("refuses the path at the Gateway that its targetRef names, and no other path", spec.ID("targetref.authorizationpolicy.denies-at-named-gateway"), Label(catalogue.Smoke), func(ctx SpecContext) {
			Expect(s.a.measure(ctx, "/deny")).To(match.BeDenied())
			Expect(s.a.measure(ctx, "/other")).To(match.HaveStatus(200))
		})

		DescribeTable("touches no neighbour:",
			func(ctx SpecContext, neighbour func() entrance) {
				stay(ctx, landed.at, haveNoFilter(rbac), neighbour())
				Expect(neighbour().measure(ctx, "/deny")).To(match.HaveStatus(200))
			},
			Entry("the sibling Gateway of the namespace stays open", spec.ID("targetref.authorizationpolicy.not-sibling"),
				Label(catalogue.Smoke), func() entrance { return s.b }),
			Entry("the Gateway of the same name in another namespace stays open", spec.ID("targetref.authorizationpolicy.not-namesake"),
				func() entrance { return s.namesake }),
			Entry("the backend behind the Gateway stays open to callers inside the cluster", spec.ID("targetref.authorizationpolicy.not-backend"),
				func() entrance { return s.backend }),
			Entry("a gateway of Istio's own API with the same name stays open", spec.ID("targetref.authorizationpolicy.not-classic-gateway"),
				func() entrance { return s.classic }),
		)

		It("ends with its deletion", spec.ID("targetref.authorizationpolicy.ends-with-deletion"), func(ctx SpecContext) {
			kube.Remove[securityv1.AuthorizationPolicy](ctx, s.ns, "deny")
			filters.await(ctx, haveNoFilter(rbac), s.a, s.b, s.backend, s.classic)
			Expect(s.a.measure(ctx, "/deny")).To(match.HaveStatus(200))
		})
	})

	Context("that allows one path at Gateway gw-a", func() {
		var landed landing
		evidence.BeforeAll(func(ctx SpecContext) {
			kube.Apply(ctx, s.ns, "targetref/allow.yaml")
			DeferCleanup(func(ctx SpecContext) {
				kube.Remove[securityv1.AuthorizationPolicy](ctx, s.ns, "allow")
				s.a.await(ctx, haveNoFilter(rbac))
			})
		})
		BeforeEach(func(ctx SpecContext) {
			By("waiting until the proxy of Gateway gw-a holds the policy")
			s.a.await(ctx, haveFilter(rbac))
			landed.seen()
		})

		It("lets in the path at the Gateway that its targetRef names, and no other path", spec.ID("targetref.authorizationpolicy.allows-at-named-gateway"), func(ctx SpecContext) {
			Expect(s.a.measure(ctx, "/allow")).To(match.HaveStatus(200))
			Expect(s.a.measure(ctx, "/other")).To(match.BeDenied())
		})

		It("leaves all paths open everywhere else", spec.ID("targetref.authorizationpolicy.allows-nothing-elsewhere"), func(ctx SpecContext) {
			neighbours := []entrance{s.b, s.namesake, s.backend, s.classic}
			stay(ctx, landed.at, haveNoFilter(rbac), neighbours...)
			for _, neighbour := range neighbours {
				Expect(neighbour.measure(ctx, "/other")).To(match.HaveStatus(200))
			}
		})
	})

	// The control: what the targetRef keeps away from the neighbours would reach each of them.
	It("reaches every proxy of its namespace where it has no targetRef", spec.ID("targetref.authorizationpolicy.whole-namespace-without"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/deny-namespace.yaml")
		DeferCleanup(func(ctx SpecContext) {
			kube.Remove[securityv1.AuthorizationPolicy](ctx, s.ns, "deny")
			s.a.await(ctx, haveNoFilter(rbac))
		})
		for _, member := range []entrance{s.a, s.b, s.backend, s.classic} {
			member.await(ctx, haveFilter(rbac))
			Expect(member.measure(ctx, "/deny")).To(match.BeDenied())
		}
		stay(ctx, time.Now(), haveNoFilter(rbac), s.namesake)
		Expect(s.namesake.measure(ctx, "/deny")).To(match.HaveStatus(200))
	})

	It("reaches a Gateway by a selector for its pods, unless that is switched off", spec.ID("targetref.authorizationpolicy.selector-reaches-gateway"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/deny-selector.yaml")
		DeferCleanup(func(ctx SpecContext) {
			kube.Remove[securityv1.AuthorizationPolicy](ctx, s.ns, "deny-selector")
			s.a.await(ctx, haveNoFilter(rbac))
		})
		s.a.await(ctx, haveFilter(rbac))
		Expect(s.a.measure(ctx, "/deny-selector")).To(match.BeDenied())
		stay(ctx, time.Now(), haveNoFilter(rbac), s.b)
		Expect(s.b.measure(ctx, "/deny-selector")).To(match.HaveStatus(200))
	})
}
