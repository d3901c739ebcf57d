package targetref

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

// denied is how istiod's webhook begins, whose reasons are long enough for a first line without it.
const denied = `admission webhook "validation.istio.io" denied the request: configuration is invalid: `

// The kinds promise the same of the field; a spec's row tells them apart. All are refused in one namespace.
var _ = Describe("The field targetRef of", Ordered, ContinueOnFailure, func() {
	var ns string
	evidence.BeforeAll(func(ctx SpecContext) { ns = kube.NewNamespace(ctx, "targetref-refused") })

	ofField(&ns, "AuthorizationPolicy", "authorizationpolicies.security.istio.io", "authorizationpolicy", catalogue.TargetRefAuthorizationPolicy)
	ofField(&ns, "RequestAuthentication", "requestauthentications.security.istio.io", "requestauthentication", catalogue.TargetRefRequestAuthentication)
	ofField(&ns, "Telemetry", "telemetries.telemetry.istio.io", "telemetry", catalogue.TargetRefTelemetry)
	ofField(&ns, "WasmPlugin", "wasmplugins.extensions.istio.io", "wasmplugin", catalogue.TargetRefWasmPlugin)
})

// ofField are the specs of the field targetRef of a kind: what its definition has, and what is refused. Of
// each refusal there is a fixture refused-<stem>-<why>.yaml.
func ofField(ns *string, kind, definition, stem, row string) {
	fixture := func(why string) string { return fmt.Sprintf("targetref/refused-%s-%s.yaml", stem, why) }

	Describe(kind, Label(row), func() {
		It("stands in the definition of the kind, in every version that is served", spec.ID(row+".field-defined"), func(ctx SpecContext) {
			found, err := kube.Getter[apiextensionsv1.CustomResourceDefinition]("", definition)(ctx)
			Expect(err).NotTo(HaveOccurred())
			evidence.Replay("kubectl explain %s.spec.targetRef", definition)
			fields := fieldsOfTargetRef(found)
			evidence.API("fields of targetRef by version", "%v", fields)
			Expect(fields).NotTo(BeEmpty(), "served versions of %s", definition)
			for version, names := range fields {
				Expect(names).To(ConsistOf("group", "kind", "name", "namespace"), "fields of targetRef in %s of %s", version, definition)
			}
		})

		It("takes no field that it does not know", spec.ID(row+".refused-unknown-field"), func(ctx SpecContext) {
			object := validReference(fixture("no-name"))
			Expect(unstructured.SetNestedField(object.Object, "gw-a", "spec", "targetRef", "naem")).To(Succeed())
			evidence.Replay(`sed 's/kind: Gateway/&\n    name: gw-a\n    naem: gw-a/' fixtures/%s | kubectl apply --server-side --validate=strict -n %s -f -`, fixture("no-name"), *ns)
			_, err := kube.Shared().ApplyObjects(ctx, *ns, []*unstructured.Unstructured{object})
			// The fixtures share its name: taken, it must not stand in the way of the refusals after it.
			DeferCleanup(func(ctx SpecContext) {
				Expect(ctrl.IgnoreNotFound(kube.Shared().Client.Delete(ctx, object))).To(Succeed())
			})
			Expect(err).To(MatchError(ContainSubstring(".spec.targetRef.naem: field not declared in schema")), "the cluster took a %s with targetRef.naem, which it has to refuse", kind)
			evidence.API(kind+" with targetRef.naem", "refused: %v", err)
		})

		DescribeTable("where it cannot be meant",
			func(ctx SpecContext, why, message string) {
				said := kube.Refused(ctx, *ns, fixture(why))
				Expect(said).To(ContainSubstring(denied))
				_, reason, _ := strings.Cut(said, denied)
				Expect(reason).To(ContainSubstring(message))
			},
			Entry("is refused beside a selector", spec.ID(row+".refused-beside-selector"),
				"selector-and-targetref", "only one of targetRef or workloadSelector can be set"),
			Entry("is refused without a name", spec.ID(row+".refused-without-name"), "no-name", "targetRef name must be set"),
			Entry("is refused with a namespace", spec.ID(row+".refused-namespace"), "namespace", "targetRef namespace must not be set"),
			Entry("is refused with another group than the Gateway API's", spec.ID(row+".refused-group"), "wrong-group",
				"targetRef Group and/or Kind don't match; expected: [Group: gateway.networking.k8s.io, Kind: Gateway], got: [Group: networking.istio.io, Kind: Gateway]"),
			Entry("is refused with another kind than Gateway", spec.ID(row+".refused-kind"), "wrong-kind",
				"targetRef Group and/or Kind don't match; expected: [Group: gateway.networking.k8s.io, Kind: Gateway], got: [Group: gateway.networking.k8s.io, Kind: HTTPRoute]"),
		)
	})
}

// validReference is the object of a fixture that lacks nothing but the reference's name.
func validReference(fixture string) *unstructured.Unstructured {
	GinkgoHelper()
	objects, err := fixtures.Objects(fixture)
	Expect(err).NotTo(HaveOccurred())
	Expect(objects).To(HaveLen(1))
	Expect(unstructured.SetNestedField(objects[0].Object, "gw-a", "spec", "targetRef", "name")).To(Succeed())
	return objects[0]
}

// fieldsOfTargetRef are the names of the field's own fields, by served version of a definition.
func fieldsOfTargetRef(definition *apiextensionsv1.CustomResourceDefinition) map[string][]string {
	fields := map[string][]string{}
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		names := []string{}
		if version.Schema != nil && version.Schema.OpenAPIV3Schema != nil {
			for name := range version.Schema.OpenAPIV3Schema.Properties["spec"].Properties["targetRef"].Properties {
				names = append(names, name)
			}
		}
		fields[version.Name] = names
	}
	return fields
}
