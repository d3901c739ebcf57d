package filterorder

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

// CUSTOM policies are judged before peers and tokens are authenticated, hence cannot ask for either.
var _ = Describe("The API", Ordered, ContinueOnFailure, Label(catalogue.FilterOrder), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) { ns = kube.NewNamespace(ctx, "order-refused") })

	DescribeTable("refuses an AuthorizationPolicy",
		func(ctx SpecContext, fixture, words string) {
			Expect(kube.Refused(ctx, ns, "filterorder/refused-"+fixture+".yaml")).To(ContainSubstring(words))
		},
		Entry("of action CUSTOM without rules", spec.ID("filterorder.refused-custom-without-rules"),
			"custom-without-rules", "CUSTOM action without `rules` is meaningless"),
		Entry("of action CUSTOM without a provider", spec.ID("filterorder.refused-custom-without-provider"),
			"custom-without-provider", "`provider.name` must not be empty"),
		Entry("of action CUSTOM with `from.principals`", spec.ID("filterorder.refused-custom-by-principal"),
			"custom-by-principal", "From.Principals is currently not supported with CUSTOM action"),
		Entry("of action CUSTOM that asks for a token", spec.ID("filterorder.refused-custom-by-token"),
			"custom-by-token", "From.RequestPrincipals is currently not supported with CUSTOM action"),
		Entry("of action CUSTOM that asks for a token's claim", spec.ID("filterorder.refused-custom-by-claim"),
			"custom-by-claim", "request.auth.claims[group] is currently not supported with CUSTOM action"),
		Entry("of action DENY with a provider", spec.ID("filterorder.refused-deny-with-provider"),
			"deny-with-provider", "`provider` must not be with non CUSTOM action, found DENY"),
		Entry("of action DENY without rules", spec.ID("filterorder.refused-deny-without-rules"),
			"deny-without-rules", "DENY action without `rules` is meaningless"),
	)

	It("takes one of action CUSTOM with rules and a provider", spec.ID("filterorder.custom-accepted"), func(ctx SpecContext) {
		kube.Apply(ctx, ns, "filterorder/accepted-custom.yaml")
		evidence.Look(ns, "authorizationpolicy", "accepted")
		evidence.API("AuthorizationPolicy accepted", "taken")
	})
})
