package istioctl

import (
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
)

// Analyses that need a cluster's services read files and the cluster together; what is said is about one namespace.
var _ = Describe("istioctl analyze", Ordered, ContinueOnFailure, Label(catalogue.Istioctl), func() {
	var namespace string
	var subject, before []istioctl.Message

	evidence.BeforeAll(func(ctx SpecContext) {
		namespace = kube.NewNamespace(ctx, "istioctl-importer", kube.Injected)
		exporter := kube.NewNamespace(ctx, "istioctl-exporter")
		place := newWorkplace()
		arguments := []string{
			"analyze", "--namespace=" + namespace, "--output=json",
			place.fixture("istioctl/outside.yaml", exporter, func(object *unstructured.Unstructured) {
				// A fixture names no namespace of a run.
				Expect(unstructured.SetNestedStringSlice(object.Object, []string{namespace}, "spec", "exportTo")).To(Succeed())
				evidence.Replay("sed -i 's/importer/%s/' fixtures/istioctl/outside.yaml", namespace)
			}),
			place.fixture("istioctl/to-outside.yaml", namespace),
			place.fixture("istioctl/no-service.yaml", namespace),
		}
		found := func(binary istioctl.Binary) []istioctl.Message {
			messages, err := binary.In(string(place)).Run(ctx, arguments...).Messages()
			Expect(err).NotTo(HaveOccurred())
			return messages
		}
		subject, before = found(istioctl.Subject()), found(istioctl.Before())
	})

	on := func(messages []istioctl.Message, origin string) []string { return istioctl.On(messages, origin) }

	It("finds the host of another namespace's ServiceEntry that is exported to a VirtualService's namespace", spec.ID("istioctl.analyze-exported-serviceentry"), func() {
		origin := "VirtualService " + namespace + "/exported"
		Expect(on(subject, origin)).NotTo(ContainElement("IST0101"), "messages about %s: %v", origin, subject)
		evidence.API("messages about "+origin, "%v", on(subject, origin))

		By("looking at a host that nobody has")
		Expect(on(subject, "VirtualService "+namespace+"/nowhere")).To(ContainElement("IST0101"))

		By("asking the release before")
		Expect(on(before, origin)).To(ContainElement("IST0101"), "messages of the release before about %s: %v", origin, before)
	})

	It("no longer warns with IST0117 of a Deployment without a Service", spec.ID("istioctl.analyze-no-ist0117"), func() {
		origin := "Deployment " + namespace + "/lonely"
		Expect(subject).NotTo(BeEmpty(), "messages of the analysis that is to be silent about %s", origin)
		Expect(on(subject, origin)).To(BeEmpty(), "messages about %s", origin)
		evidence.API("messages about "+origin, "none")

		By("asking the release before")
		Expect(on(before, origin)).To(ConsistOf("IST0117"), "messages of the release before about %s: %v", origin, before)
	})

	DescribeTable("says of the webhooks of an external control plane",
		func(ctx SpecContext, fixture, origin string, codes ...any) {
			place := newWorkplace()
			offline := func(binary istioctl.Binary, alter ...func(*unstructured.Unstructured)) []istioctl.Message {
				file := place.fixture("istioctl/"+fixture, "", alter...)
				messages, err := binary.In(string(place)).Offline(ctx, "", "analyze", "--use-kube=false", "--output=json", file).Messages()
				Expect(err).NotTo(HaveOccurred())
				return messages
			}
			messages := offline(istioctl.Subject())
			Expect(on(messages, origin)).To(ConsistOf(codes...), "messages about %s: %v", origin, messages)
			evidence.API("messages about "+origin, "%v", on(messages, origin))

			By("asking the release before")
			Expect(on(offline(istioctl.Before()), origin)).To(BeEmpty(), "messages of the release before about %s", origin)

			By("looking at the same webhooks with an address that is no name")
			evidence.Replay(`kubectl patch --local --type=json -p '[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"url":"https://192.0.2.10:15017"}}]' `+
				`-o yaml -f fixtures/istioctl/%s | sed 's/^apiVersion:/---\n&/' > addressed.yaml && mv addressed.yaml fixtures/istioctl/%[1]s`, fixture)
			Expect(on(offline(istioctl.Subject(), addressed), origin)).To(ConsistOf("IST0164"), "messages about %s with an address", origin)
		},
		Entry("IST0164 where the address is no name", spec.ID("istioctl.analyze-ist0164-no-name"),
			"external-control-plane.yaml",
			"ValidatingWebhookConfiguration istio-validator-external-istiod", "IST0164"),
		// Since 1.21 istioctl looks no name up, and a webhook with a Service instead of an address is no mistake
		// (pkg/config/analysis/analyzers/externalcontrolplane).
		Entry("IST0163 where the name does not resolve", spec.ID("istioctl.analyze-ist0163-unresolved"), spec.Until("1.21"),
			"external-control-plane-unresolved.yaml",
			"ValidatingWebhookConfiguration istio-validator-external-istiod", "IST0163"),
		Entry("IST0163 where there is no address", spec.ID("istioctl.analyze-ist0163-no-address"), spec.Until("1.21"),
			"external-control-plane.yaml",
			"MutatingWebhookConfiguration istio-sidecar-injector-external-istiod", "IST0163"),
		Entry("nothing where the name resolves", spec.ID("istioctl.analyze-external-resolves"),
			"external-control-plane-named.yaml",
			"ValidatingWebhookConfiguration istio-validator-external-istiod"),
	)

	It("asks the API server for no ConfigMaps but those of Istio's namespace", spec.ID("istioctl.analyze-configmaps"), func(ctx SpecContext) {
		asked := func(binary istioctl.Binary) []string {
			outcome := binary.Run(ctx, "analyze", "--namespace="+namespace, "--vklog=6")
			lists := listsOfConfigMaps(outcome.Stdout + outcome.Stderr)
			Expect(lists).NotTo(BeEmpty(), "lists of ConfigMaps that %s asked for", binary.Name)
			return lists
		}
		subject := asked(istioctl.Subject())
		Expect(subject).To(HaveEach("/api/v1/namespaces/"+mesh.Namespace+"/configmaps"), "lists of ConfigMaps asked for")
		evidence.API("lists of ConfigMaps asked for", "%v", subject)

		By("asking with the release before")
		Expect(asked(istioctl.Before())).To(ContainElement("/api/v1/configmaps"), "lists of ConfigMaps that the release before asked for")
	})
})

// gatewayPorts are the specs on what analyze says of Gateways; it wants to see a gateway's pod.
func gatewayPorts(bed *proxies) {
	It("warns by analyze with IST0162, and no longer IST0104, of a Gateway's port that its Service does not have", spec.ID("istioctl.analyze-ist0162-gateway-port"), func(ctx SpecContext) {
		analyze := func(binary istioctl.Binary) []istioctl.Message {
			messages, err := binary.Run(ctx, "analyze", "--namespace="+bed.namespace, "--output=json").Messages()
			Expect(err).NotTo(HaveOccurred())
			return messages
		}
		origin := "Gateway " + bed.namespace + "/unlisted"
		subject := analyze(istioctl.Subject())
		Expect(istioctl.On(subject, origin)).To(ConsistOf("IST0162"), "messages about %s", origin)
		Expect(subject).To(ContainElement(HaveField("Message", ContainSubstring("a target port (port 9443) that is not defined in the Service"))))
		evidence.API("messages about "+origin, "%v", istioctl.On(subject, origin))

		By("looking at a port that the Service has")
		Expect(istioctl.On(subject, "Gateway "+bed.namespace+"/front-door")).To(BeEmpty())

		By("asking the release before")
		Expect(istioctl.On(analyze(istioctl.Before()), origin)).To(ConsistOf("IST0104"))
	})
}

// addressed gives the first webhook of a configuration an address that is no name.
func addressed(configuration *unstructured.Unstructured) {
	GinkgoHelper()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	Expect(err).NotTo(HaveOccurred())
	Expect(webhooks).NotTo(BeEmpty(), "webhooks of %s", configuration.GetName())
	webhooks[0].(map[string]any)["clientConfig"] = map[string]any{"url": "https://192.0.2.10:15017"}
	Expect(unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")).To(Succeed())
}

// listRequest is what client-go logs of a request for a list of ConfigMaps.
var listRequest = regexp.MustCompile(`GET https?://[^/\s]+(/api/v1/\S*configmaps)\?\S*limit=`)

// listsOfConfigMaps are the paths of such requests in a log.
func listsOfConfigMaps(log string) []string {
	var paths []string
	for _, match := range listRequest.FindAllStringSubmatch(log, -1) {
		paths = append(paths, match[1])
	}
	return paths
}
