package mirroring

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

// denied is how istiod's webhook begins; a field that the kind demands the API server misses by itself.
const denied = `admission webhook "validation.istio.io" denied the request: configuration is invalid: `

var _ = Describe("The API for VirtualServices", Ordered, ContinueOnFailure, Label(catalogue.Mirroring), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) { ns = kube.NewNamespace(ctx, "mirroring-refused") })

	DescribeTable("refuses",
		func(ctx SpecContext, fixture, words string) {
			said := kube.Refused(ctx, ns, "mirroring/"+fixture+".yaml")
			Expect(said).To(ContainSubstring(words))
		},
		Entry("mirror together with mirrors", spec.ID("mirroring.refused-mirror-and-mirrors"),
			"refused-mirror-and-mirrors", denied+"HTTP route cannot contain both mirror and mirrors"),
		Entry("a mirror's percentage over 100", spec.ID("mirroring.refused-percentage-above"),
			"refused-percentage-above", denied+"mirror percentage must have a max value of 100 (it has 100.500000)"),
		Entry("a mirror's percentage below 0", spec.ID("mirroring.refused-percentage-below"),
			"refused-percentage-below", denied+"mirror percentage must have a min value of 0 (it has -0.500000)"),
		Entry("a mirror without a destination", spec.ID("mirroring.refused-no-destination"),
			"refused-no-destination", "spec.http[0].mirrors[1].destination: Required value"),
	)

	It("accepts mirrors with a percentage of 100 and of 0", spec.ID("mirroring.limits-accepted"), func(ctx SpecContext) {
		apply(ctx, ns, "taken-bounds")
		found, err := kube.Getter[networkingv1beta1.VirtualService](ns, "mirroring")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.Spec.GetHttp()).To(HaveExactElements(HaveField("Mirrors", HaveLen(2))), "routes of the VirtualService that was applied")
		evidence.Look(ns, "virtualservice", found.Name)
		evidence.API("VirtualService "+found.Name, "taken with mirrors of 100 and of 0 percent")
	})
})
