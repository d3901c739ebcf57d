package externalname

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

var _ = Describe("The API server", Ordered, ContinueOnFailure, Label(catalogue.ExternalName), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) { ns = kube.NewNamespace(ctx, "externalname-refused") })

	DescribeTable("refuses an ExternalName Service that no DNS entry could be made of:",
		func(ctx SpecContext, fixture, reason string) {
			Expect(kube.Refused(ctx, ns, fixture)).To(ContainSubstring(reason))
		},
		Entry("no externalName", spec.ID("externalname.refused-without-name"),
			"externalname/refused-without-name.yaml", "spec.externalName: Required value"),
		Entry("a URL as externalName", spec.ID("externalname.refused-url"),
			"externalname/refused-url.yaml", "a lowercase RFC 1123 subdomain must consist of"),
	)
})
