package istioctl

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// door is the gateway of the operator files, and the name of all that is installed for it.
const door = "door"

// What is installed is a gateway without pods, in a namespace and of a revision of its own.
var _ = Describe("istioctl install", Label(catalogue.Istioctl), func() {
	var namespace string
	var place workplace

	BeforeEach(func(ctx SpecContext) {
		namespace = kube.NewNamespace(ctx, "istioctl-install")
		place = newWorkplace()
	})

	install := func(ctx context.Context, binary istioctl.Binary, file string, flags ...string) istioctl.Outcome {
		GinkgoHelper()
		return binary.In(string(place)).Run(ctx, append([]string{
			"install", "--filename=" + place.operator(file), "--set=namespace=" + namespace,
			"--set=values.global.istioNamespace=" + namespace, "--revision=" + namespace, "--readiness-timeout=" + timing.Push().String(),
		}, flags...)...)
	}
	deployed := func(ctx context.Context) bool {
		GinkgoHelper()
		there, err := kube.Exists[appsv1.Deployment](namespace, door)(ctx)
		Expect(err).NotTo(HaveOccurred())
		return there
	}

	It("lists the components that it adds to the empty profile, before it asks", spec.ID("istioctl.install-lists-components"), func(ctx SpecContext) {
		outcome := install(ctx, istioctl.Subject(), "gateway.yaml")
		Expect(outcome).To(istioctl.Exit(1, `"empty" profile (with components: Ingress gateways) into the cluster. Proceed? (y/N)`, "Cancelled."))
		Expect(deployed(ctx)).To(BeFalse(), "whether it installed without consent")
		evidence.API("question", "%s", strings.TrimSpace(outcome.Stdout))

		By("asking with the release before")
		Expect(install(ctx, istioctl.Before(), "gateway.yaml")).To(istioctl.Exit(1, "empty profile into the cluster. Proceed? (y/N)"))
	})

	It("prunes nothing when it only tries (--dry-run)", spec.ID("istioctl.install-dry-run-prunes-nothing"), func(ctx SpecContext) {
		const pruning = "Not pruning object Deployment"
		Expect(install(ctx, istioctl.Subject(), "gateway.yaml", "--skip-confirmation")).To(istioctl.Exit(0, "Ingress gateways installed"))
		Expect(deployed(ctx)).To(BeTrue(), "whether the gateway that is to be pruned is there")
		outcome := install(ctx, istioctl.Subject(), "gateway-removed.yaml", "--dry-run")
		Expect(outcome).To(istioctl.Exit(0, "Installation complete"))
		Expect(outcome).NotTo(Or(istioctl.Say(pruning), istioctl.Say("Pruning removed resources")))
		Expect(deployed(ctx)).To(BeTrue(), "whether the gateway that was taken out is there after the trial")
		evidence.API("Deployment "+door, "there after a dry run without it")

		By("trying it with the release before, which sets about to prune and says of each object that it does not")
		Expect(install(ctx, istioctl.Before(), "gateway.yaml", "--skip-confirmation")).To(istioctl.Exit(0))
		Expect(install(ctx, istioctl.Before(), "gateway-removed.yaml", "--dry-run")).To(istioctl.Exit(0, pruning))

		By("installing in earnest")
		Expect(install(ctx, istioctl.Subject(), "gateway.yaml", "--skip-confirmation")).To(istioctl.Exit(0))
		Expect(install(ctx, istioctl.Subject(), "gateway-removed.yaml", "--skip-confirmation")).To(istioctl.Exit(0))
		Eventually(ctx, kube.Exists[appsv1.Deployment](namespace, door), timing.Push(), timing.Poll).Should(BeFalse(), "whether the gateway is there in the end")
	})

	It("stops at the first object that the API server refuses", spec.ID("istioctl.install-stops-at-refusal"), func(ctx SpecContext) {
		const refusal = "failed to update resource with server-side apply for obj Deployment/"
		later := func(ctx context.Context) bool {
			GinkgoHelper()
			there, err := kube.Exists[corev1.Service](namespace, door)(ctx)
			Expect(err).NotTo(HaveOccurred())
			return there
		}
		outcome := install(ctx, istioctl.Subject(), "gateway-refused.yaml", "--skip-confirmation")
		Expect(outcome).To(istioctl.Exit(1, refusal, `Type:"Nonsense"`))
		first, err := kube.Exists[corev1.ServiceAccount](namespace, door+"-service-account")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(first).To(BeTrue(), "whether the object before the refused one was applied")
		Expect(later(ctx)).To(BeFalse(), "whether the Service, which comes after the refused Deployment, was applied")
		evidence.API("applied", "the ServiceAccount before the refused Deployment, not the Service after it")

		By("trying it with the release before, which goes on")
		Expect(install(ctx, istioctl.Before(), "gateway-refused.yaml", "--skip-confirmation")).To(istioctl.Exit(1, refusal))
		Expect(later(ctx)).To(BeTrue(), "whether the release before applied the Service")
	})
})
