package istioctl

import (
	"context"
	"fmt"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/spec"
)

// What is rendered is read, not installed: the suite's clusters have one family of addresses, and no ztunnel.
var _ = Describe("istioctl manifest generate", Label(catalogue.Istioctl), func() {
	generate := func(ctx context.Context, binary istioctl.Binary, flags ...string) istioctl.Outcome {
		GinkgoHelper()
		return binary.Offline(ctx, "", append([]string{"manifest", "generate", "--set=hub=localhost", "--set=tag=local"}, flags...)...)
	}

	It("gives istiod's Service the families of addresses that values.pilot names", spec.ID("istioctl.manifest-ip-families"), Label(catalogue.Smoke), func(ctx SpecContext) {
		families := []string{"--set=profile=minimal", "--set=values.pilot.ipFamilyPolicy=PreferDualStack", "--set=values.pilot.ipFamilies[0]=IPv6", "--set=values.pilot.ipFamilies[1]=IPv4"}
		of := func(flags ...string) (corev1.ServiceSpec, error) {
			var service corev1.Service
			outcome := generate(ctx, istioctl.Subject(), flags...)
			Expect(outcome).To(istioctl.Exit(0))
			err := rendered(outcome.Stdout, "Service", "istiod", &service)
			return service.Spec, err
		}
		spec, err := of(families...)
		Expect(err).NotTo(HaveOccurred())
		Expect(spec.IPFamilyPolicy).To(HaveValue(Equal(corev1.IPFamilyPolicyPreferDualStack)), "ipFamilyPolicy of Service istiod")
		Expect(spec.IPFamilies).To(Equal([]corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}), "ipFamilies of Service istiod")
		evidence.API("Service istiod", "ipFamilyPolicy %s, ipFamilies %v", *spec.IPFamilyPolicy, spec.IPFamilies)

		By("rendering without the values")
		spec, err = of("--set=profile=minimal")
		Expect(err).NotTo(HaveOccurred())
		Expect(spec.IPFamilyPolicy).To(BeNil(), "ipFamilyPolicy of Service istiod where none is named")
		Expect(spec.IPFamilies).To(BeEmpty(), "ipFamilies of Service istiod where none are named")

		By("asking the release before, which does not know the values")
		for _, flag := range families[1:] {
			Expect(generate(ctx, istioctl.Before(), families[0], flag)).To(istioctl.Exit(1, `unknown field "ipFamil`, "in v1alpha1.PilotConfig"))
		}
	})

	It("has a revision's ztunnel ask that revision's istiod", spec.ID("istioctl.manifest-ztunnel-revision"), func(ctx SpecContext) {
		asked := func(binary istioctl.Binary, flags ...string) map[string]string {
			var ztunnel appsv1.DaemonSet
			outcome := generate(ctx, binary, append(flags, "--set=profile=ambient")...)
			Expect(outcome).To(istioctl.Exit(0))
			Expect(rendered(outcome.Stdout, "DaemonSet", "ztunnel", &ztunnel)).To(Succeed())
			found := map[string]string{}
			for _, variable := range ztunnel.Spec.Template.Spec.Containers[0].Env {
				if variable.Name == "CA_ADDRESS" || variable.Name == "XDS_ADDRESS" {
					found[variable.Name] = variable.Value
				}
			}
			return found
		}
		both := func(address string) map[string]string {
			return map[string]string{"CA_ADDRESS": address, "XDS_ADDRESS": address}
		}
		blue := asked(istioctl.Subject(), "--revision=blue")
		Expect(blue).To(Equal(both("istiod-blue.istio-system.svc:15012")), "whom the ztunnel of revision blue asks")
		evidence.API("ztunnel of revision blue", "%v", blue)

		By("rendering without a revision")
		Expect(asked(istioctl.Subject())).To(Equal(both("istiod.istio-system.svc:15012")), "whom the ztunnel of the default revision asks")

		By("asking the release before, whose ztunnel always asks the default istiod")
		Expect(asked(istioctl.Before(), "--revision=blue")).To(BeEmpty(), "whom the release before tells its ztunnel to ask")
	})
})

// rendered reads one object of a manifest of many.
func rendered(manifest, kind, name string, into any) error {
	for _, document := range documents.Split(manifest, -1) {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return err
		}
		if head.Kind == kind && head.Metadata.Name == name {
			return yaml.Unmarshal([]byte(document), into)
		}
	}
	return fmt.Errorf("the manifest has no %s %s", kind, name)
}

// documents begin at lines of three dashes.
var documents = regexp.MustCompile(`(?m)^---$`)
