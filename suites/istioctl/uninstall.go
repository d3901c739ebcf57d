package istioctl

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

var _ = Describe("istioctl uninstall", Label(catalogue.Istioctl), func() {
	It("asks before it removes a control plane that it cannot reach", spec.ID("istioctl.uninstall-asks-if-unreachable"), spec.Until("1.21"), func(ctx SpecContext) {
		const question = "Unable to find any proxies pointing to the gone control plane."
		namespace := kube.NewNamespace(ctx, "istioctl-uninstall")
		kube.Apply(ctx, namespace, "istioctl/left-behind.yaml")
		place := newWorkplace()
		arguments := []string{
			"uninstall", "--filename=" + place.operator("gone.yaml"), "--set=namespace=" + namespace,
			"--set=values.global.istioNamespace=" + namespace, "--istioNamespace=" + namespace,
		}
		left := kube.Exists[corev1.ConfigMap](namespace, "istio-gone")

		outcome := istioctl.Subject().In(string(place)).Answered(ctx, "n\n", arguments...)
		Expect(outcome).To(istioctl.Exit(1, question, "Proceed? (y/N)", "Cancelled."))
		Expect(left(ctx)).To(BeTrue(), "whether the ConfigMap is there after the refusal")
		evidence.API("question", "%s Proceed? (y/N)", question)

		By("consenting")
		Expect(istioctl.Subject().In(string(place)).Answered(ctx, "y\n", arguments...)).To(istioctl.Exit(0, question, "Uninstall complete"))
		Eventually(ctx, left, timing.Push(), timing.Poll).Should(BeFalse(), "whether the ConfigMap is there after consent")

		By("trying it with the release before, which does not ask")
		kube.Apply(ctx, namespace, "istioctl/left-behind.yaml")
		before := istioctl.Before().In(string(place)).Answered(ctx, "n\n", arguments...)
		Expect(before).To(istioctl.Exit(0, "Uninstall complete"))
		Expect(before).NotTo(istioctl.Say("Proceed?"))
		Eventually(ctx, left, timing.Push(), timing.Poll).Should(BeFalse(), "whether the ConfigMap is there after the release before")
	})
})

var _ = Describe("istioctl operator remove", Label(catalogue.Istioctl), Ordered, ContinueOnFailure, func() {
	const bothStay = "istio-operator istio-operator-canary"
	var namespace string

	evidence.BeforeAll(func(ctx SpecContext) { namespace = kube.NewNamespace(ctx, "istioctl-operator") })
	BeforeEach(func(ctx SpecContext) { kube.Apply(ctx, namespace, "istioctl/operators.yaml") })

	remove := func(ctx context.Context, binary istioctl.Binary, flags ...string) istioctl.Outcome {
		GinkgoHelper()
		return binary.Run(ctx, append([]string{"operator", "remove", "--operatorNamespace=" + namespace, "--skip-confirmation"}, flags...)...)
	}
	staying := func(ctx context.Context) (string, error) {
		var there string
		for _, name := range []string{"istio-operator", "istio-operator-canary"} {
			found, err := kube.Getter[appsv1.Deployment](namespace, name)(ctx)
			// What cannot be read is not gone.
			if ctrl.IgnoreNotFound(err) != nil {
				return "", err
			}
			if err == nil && found.DeletionTimestamp == nil {
				if there != "" {
					there += " "
				}
				there += name
			}
		}
		return there, nil
	}
	// What is found is read until it is what was expected: deletion takes its time. What must stay is looked at
	// again after that.
	expectStaying := func(ctx context.Context, want string) {
		GinkgoHelper()
		Eventually(ctx, staying, timing.Push(), timing.Poll).Should(Equal(want), "operator controllers that are left")
		evidence.API("operator controllers left", "%q", want)
	}

	It("removes nothing where no revision is named", spec.ID("istioctl.operator-remove-no-revision"), func(ctx SpecContext) {
		Expect(remove(ctx, istioctl.Subject())).To(istioctl.Exit(1, "at least one of the --revision or --purge flags must be set"))
		expectStaying(ctx, bothStay)

		By("trying it with the release before, which removes all")
		Expect(remove(ctx, istioctl.Before())).To(istioctl.Exit(0))
		expectStaying(ctx, "")
	})

	It("with `--revision=default`, removes the operator of no other revision", spec.ID("istioctl.operator-remove-default"), func(ctx SpecContext) {
		Expect(remove(ctx, istioctl.Subject(), "--revision=default")).To(istioctl.Exit(0, "Removed Deployment:"+namespace+":istio-operator."))
		expectStaying(ctx, "istio-operator-canary")

		By("trying it with the release before, which removes all")
		kube.Apply(ctx, namespace, "istioctl/operators.yaml")
		Expect(remove(ctx, istioctl.Before(), "--revision=default")).To(istioctl.Exit(0))
		expectStaying(ctx, "")
	})

	It("removes all revisions where it is told to purge", spec.ID("istioctl.operator-remove-purge"), func(ctx SpecContext) {
		expectStaying(ctx, bothStay)
		Expect(remove(ctx, istioctl.Subject(), "--purge")).To(istioctl.Exit(0,
			"Removed Deployment:"+namespace+":istio-operator.", "Removed Deployment:"+namespace+":istio-operator-canary."))
		expectStaying(ctx, "")
	})
})
