package wasmplugin

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

var _ = Describe("The API", Ordered, ContinueOnFailure, Label(catalogue.WasmPlugin), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) { ns = kube.NewNamespace(ctx, "wasm-refused") })

	DescribeTable("refuses",
		func(ctx SpecContext, fixture, words string) {
			Expect(kube.Refused(ctx, ns, "wasmplugin/refused-"+fixture+".yaml")).To(ContainSubstring(words))
		},
		Entry("a WasmPlugin with a URL of an unknown scheme", spec.ID("wasmplugin.refused-scheme"),
			"scheme", "url must have schema one of [http, https, file, oci]"),
		Entry("a WasmPlugin with an empty URL", spec.ID("wasmplugin.refused-empty-url"),
			"no-url", "spec.url in body should be at least 1 chars long"),
		Entry("a WasmPlugin with a checksum that is too short", spec.ID("wasmplugin.refused-short-checksum"),
			"short-checksum", "spec.sha256 in body should match '(^$|^[a-f0-9]{64}$)'"),
		Entry("a WasmPlugin with a checksum in upper case", spec.ID("wasmplugin.refused-upper-case-checksum"),
			"upper-case-checksum", "spec.sha256 in body should match '(^$|^[a-f0-9]{64}$)'"),
		Entry("a WasmPlugin with a port out of range", spec.ID("wasmplugin.refused-port"),
			"port", "spec.match[0].ports[0].number in body should be less than or equal to 65535"),
		Entry("a WasmPlugin with the same port twice in one match", spec.ID("wasmplugin.refused-port-twice"),
			"port-twice", `duplicate entries for key [number=8080]`),
		Entry("a WasmPlugin with a value beside a variable taken from the host", spec.ID("wasmplugin.refused-value-from-host"),
			"env-value", "value may only be set when valueFrom is INLINE"),
		Entry("a WasmPlugin with the same variable twice", spec.ID("wasmplugin.refused-env-twice"),
			"env-twice", `duplicate entries for key [name="A"]`),
		Entry("a WasmPlugin with a wildcard in its selector", spec.ID("wasmplugin.refused-wildcard-selector"),
			"wildcard-selector", `wildcard is not supported in selector: "app=*"`),
	)

	It("takes a WasmPlugin with an image reference without a scheme", spec.ID("wasmplugin.reference-without-scheme"), func(ctx SpecContext) {
		Expect(kube.Apply(ctx, ns, "wasmplugin/reference-without-scheme.yaml")).To(HaveLen(1))
		evidence.Look(ns, "wasmplugin", "by-reference")
	})
})
