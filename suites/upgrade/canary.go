package upgrade

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/sound"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

const neighbour = "neighbour"

// Each step builds on the one before: the first that fails ends the container.
var _ = Describe("An upgrade by revision", Ordered, Label(catalogue.Upgrade, kindconfig.NeedsReleaseBefore), SpecPriority(timing.PriorityLong), func() {
	var b *bed
	var older, newer mesh.ControlPlane
	// pinned is of a namespace that names the old revision, not the tag.
	var pinned *echo.Workload

	evidence.BeforeAll(func(ctx SpecContext) {
		bounded, cancel := context.WithTimeout(ctx, timing.Provisioning())
		DeferCleanup(cancel)
		var err error
		older, err = beside(before())
		Expect(err).NotTo(HaveOccurred())
		newer, err = beside(subject())
		Expect(err).NotTo(HaveOccurred())

		installer := newCluster(bounded, "canary")
		install(bounded, installer, before(), older)
		deploysGateways(bounded, older)
		setTag(bounded, installer, before(), before())
		namespace := kube.NewNamespace(bounded, "upgrade-pinned", "istio.io/rev="+older.Revision)
		kube.Apply(bounded, namespace, "echo/neighbour.yaml")
		b = furnish(bounded, installer, "istio.io/rev="+tag)
		pinned = echo.Await(bounded, namespace, neighbour)[neighbour]
	})

	It("starts from the old revision, to which the tag leads", spec.ID("upgrade.canary-starts-at-old"), Label(catalogue.Smoke), func(ctx SpecContext) {
		tagLeadsTo(ctx, older.Revision)
		b.holds(ctx, before(), nil)
		b.talk(ctx, client, serverA)
		b.strict(ctx)
		b.losesNothing(ctx, "before anything changes")
	})

	It("installs the new revision beside the old one, and neither tag nor workload moves", spec.ID("upgrade.canary-installs-beside"), Label(catalogue.Smoke), func(ctx SpecContext) {
		const change = "Istio is being "
		said := install(ctx, b.installer, subject(), newer)
		Expect(said).NotTo(ContainSubstring(change), "what istioctl said of a revision that replaces none")
		By("asking istioctl of the control release, in a dry run, which takes any istiod for the one that is replaced")
		Expect(tryRevision(ctx, b.installer, control())).To(ContainSubstring(change),
			"output of `istioctl install --dry-run` of the control release for a new revision")
		b.stay(ctx)
		tagLeadsTo(ctx, older.Revision)
		b.holds(ctx, before(), nil)
		b.losesNothing(ctx, "while the new revision is installed")
	})

	It("moves a managed gateway with the tag, and no sidecar", spec.ID("upgrade.canary-gateway-follows-tag"), Label(catalogue.Smoke), func(ctx SpecContext) {
		setTag(ctx, b.installer, subject(), subject())
		tagLeadsTo(ctx, newer.Revision)
		b.gatewayMoves(ctx, subject())
		b.stay(ctx)
		b.holds(ctx, before(), fleet{entrance: subject().Istio})
		b.losesNothing(ctx, "while the tag moves")
	})

	It("moves a workload that restarts, but not one whose namespace names the old revision", spec.ID("upgrade.canary-workload-restarts"), Label(catalogue.Smoke), func(ctx SpecContext) {
		b.restart(ctx, serverA)
		pinned = echo.Restart(ctx, pinned)
		b.holds(ctx, before(), fleet{entrance: subject().Istio, serverA: subject().Istio})
		Expect(proxies(pinned.Namespace)(ctx)).To(Equal(fleet{neighbour: before().Istio}), "the releases of the proxies of the namespace that names the old revision")
		for _, other := range []string{client, serverB} {
			b.talk(ctx, other, serverA)
			b.talk(ctx, serverA, other)
		}
		b.losesNothing(ctx, "while the first server restarts")
	})

	It("has moved every workload of the tag once all have restarted", spec.ID("upgrade.canary-all-moved"), func(ctx SpecContext) {
		b.restart(ctx, serverB)
		b.restart(ctx, client)
		b.holds(ctx, subject(), nil)
		b.losesNothing(ctx, "while the others restart")
	})

	It("rolls back with the tag: the gateway, and a workload that restarts", spec.ID("upgrade.canary-rolls-back"), func(ctx SpecContext) {
		setTag(ctx, b.installer, subject(), before())
		tagLeadsTo(ctx, older.Revision)
		b.gatewayMoves(ctx, before())
		b.stay(ctx)
		b.restart(ctx, serverA)
		b.holds(ctx, subject(), fleet{entrance: before().Istio, serverA: before().Istio})
		b.talk(ctx, client, serverA)
		b.talk(ctx, serverA, client)
		b.losesNothing(ctx, "while it is rolled back")
	})

	It("goes forward again with the tag", spec.ID("upgrade.canary-forward-again"), func(ctx SpecContext) {
		setTag(ctx, b.installer, subject(), subject())
		b.gatewayMoves(ctx, subject())
		b.restart(ctx, serverA)
		b.holds(ctx, subject(), nil)
		b.losesNothing(ctx, "while it goes forward again")
	})

	It("lets go of the old revision, and the new one serves alone", spec.ID("upgrade.canary-old-removed"), func(ctx SpecContext) {
		By("taking away the last workload of the old revision")
		kube.Remove[appsv1.Deployment](ctx, pinned.Namespace, pinned.Name)
		istioctl(ctx, b.installer, subject(), "uninstall", "--revision", older.Revision, "--skip-confirmation")
		Expect(kube.Shared().WaitGone(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: mesh.Namespace, Name: older.Deployment()}})).To(Succeed())
		// Its pod is told after it.
		Eventually(ctx, istiods, timing.Gone(), timing.Poll).Should(HaveLen(1), "pods of istiod, of which only that of %s is to stay", subject().Istio)
		evidence.API("istiod "+before().Istio, "%s is gone", older.Deployment())

		b.stay(ctx)
		tagLeadsTo(ctx, newer.Revision)
		b.obeys(ctx, client, serverA)
		b.gatewayObeys(ctx)
		b.strict(ctx)
		b.holds(ctx, subject(), nil)
		b.losesNothing(ctx, "while the old revision is uninstalled")
	})

	It("ends without a rejected push or a crash of an istiod of either release", spec.ID("upgrade.canary-health"), func(ctx SpecContext) { sound.OfOwnCluster(ctx) })

	It("counts the requests that are lost by revision (control)", spec.ID("upgrade.canary-counts-losses"), func(ctx SpecContext) { b.countsLosses(ctx) })
})

// tagLeadsTo asserts of which revision the istiod is that the tag's webhook asks.
func tagLeadsTo(ctx context.Context, revision string) {
	GinkgoHelper()
	webhook, err := kube.Getter[admissionv1.MutatingWebhookConfiguration]("", "istio-revision-tag-"+tag)(ctx)
	Expect(err).NotTo(HaveOccurred())
	found := webhook.Labels["istio.io/rev"]
	evidence.API("tag "+tag, "leads to revision %s", found)
	Expect(found).To(Equal(revision), "the revision to which tag %s leads", tag)
}
