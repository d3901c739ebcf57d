package upgrade

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/sound"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// leap is one upgrade in place.
type leap struct {
	// id is the part of the specs' ids that tells the steps apart.
	id string
	// name and goal are for the names of specs, which reports tell apart by their last part alone.
	name, goal string
	from, to   func() kindconfig.Release
	// needs labels the specs that a cell without one of the releases cannot run.
	needs Labels
	// closes is the workload that a policy is made for between the upgrade of istiod and that of the proxies.
	closes, caller string
}

// Each step builds on the one before: the first that fails ends the container.
var _ = Describe("An upgrade in place", Ordered, Label(catalogue.Upgrade, kindconfig.NeedsReleaseBefore), SpecPriority(timing.PriorityLong), func() {
	var b *bed

	evidence.BeforeAll(func(ctx SpecContext) {
		bounded, cancel := context.WithTimeout(ctx, timing.Provisioning())
		DeferCleanup(cancel)
		installer := newCluster(bounded, "in-place")
		install(bounded, installer, before(), inPlace())
		deploysGateways(bounded, inPlace())
		b = furnish(bounded, installer, kube.Injected)
	})

	It("starts from a mesh of the release before, where nothing is lost and policies hold", spec.ID("upgrade.in-place-starts-before"), func(ctx SpecContext) {
		b.holds(ctx, before(), nil)
		b.talk(ctx, client, serverA)
		b.talk(ctx, serverA, serverB)
		sidecar.AwaitInbound(ctx, b.apps[serverA], match.HaveHTTPFilter(echo.Port, "envoy.filters.http.rbac"))
		Expect(b.apps[client].Measure(ctx, b.apps[serverA].URL("/closed"), requests)).To(match.BeDenied())
		Expect(b.apps[client].Measure(ctx, b.apps[serverB].URL("/closed"), requests)).To(match.HaveStatus(200))
		b.strict(ctx)
		b.losesNothing(ctx, "before anything changes")
	})

	for _, leap := range []leap{
		{"to-subject", "from the release before to the subject", "the subject", before, subject, nil, client, serverA},
		{"from-subject", "from the subject to the release after it", "the release after it", subject, after,
			Label(kindconfig.NeedsReleaseAfter), serverB, client},
	} {
		Context(leap.name, leap.needs, func() {
			It("takes the CRDs of "+leap.goal+" first, beside which the old istiod and its proxies go on", spec.ID("upgrade."+leap.id+"-crds"), func(ctx SpecContext) {
				const crd, field = "authorizationpolicies.security.istio.io", "targetRef"
				older, err := b.installer.Of(leap.from()).CRDs(ctx)
				Expect(err).NotTo(HaveOccurred())
				definitions, err := b.installer.Of(leap.to()).CRDs(ctx)
				Expect(err).NotTo(HaveOccurred())
				had, err := declaredAmong(older, crd, field)
				Expect(err).NotTo(HaveOccurred())
				brought, err := declaredAmong(definitions, crd, field)
				Expect(err).NotTo(HaveOccurred())
				Expect(declares(ctx, crd, field)).To(Equal(had),
					"spec.%s of %s in the cluster, compared with the CRDs of %s", field, crd, leap.from().Istio)
				_, err = kube.Shared().ApplyObjects(ctx, "", definitions)
				Expect(err).NotTo(HaveOccurred())
				evidence.Replay("istioctl-%s manifest generate --set profile=empty --set components.base.enabled=true > base.yaml  # its CustomResourceDefinitions are applied", leap.to().Istio)
				Expect(declares(ctx, crd, field)).To(Equal(brought),
					"spec.%s of %s in the cluster, compared with the CRDs of %s", field, crd, leap.to().Istio)
				evidence.API("CRDs", "%d of %s applied", len(definitions), leap.to().Istio)

				b.stay(ctx)
				b.holds(ctx, leap.from(), nil)
				b.losesNothing(ctx, "while the CRDs change")
			})

			It("replaces istiod by that of "+leap.goal+", while no workload restarts and no request is lost", spec.ID("upgrade."+leap.id+"-istiod"), func(ctx SpecContext) {
				said := install(ctx, b.installer, leap.to(), inPlace())
				Expect(said).To(ContainSubstring("Istio is being upgraded from %s to %s.", spoken(leap.from()), spoken(leap.to())), "what istioctl said, which is to warn")
				Expect(imageOf(ctx, inPlace())).To(Equal(leap.to().Hub+"/pilot:"+leap.to().Tag), "the image of istiod")
				b.stay(ctx)
				b.losesNothing(ctx, "while istiod is replaced")
			})

			It("moves a managed gateway to "+leap.goal+" by itself, and no sidecar", spec.ID("upgrade."+leap.id+"-gateway"), func(ctx SpecContext) {
				b.gatewayMoves(ctx, leap.to())
				b.holds(ctx, leap.from(), fleet{entrance: leap.to().Istio})
				b.stay(ctx)
				b.losesNothing(ctx, "while the gateway's proxy is replaced")
			})

			It("keeps the old proxies in sync with the istiod of "+leap.goal, spec.ID("upgrade."+leap.id+"-policy-reaches-old-proxies"), func(ctx SpecContext) {
				b.obeys(ctx, leap.closes, leap.caller)
				b.holds(ctx, leap.from(), fleet{entrance: leap.to().Istio})
				b.losesNothing(ctx, "while a policy comes to the old release's proxies")
			})

			It("lets old proxies and those of "+leap.goal+" talk mutual TLS both ways once one workload has restarted", spec.ID("upgrade."+leap.id+"-mixed-mutual-tls"), func(ctx SpecContext) {
				b.restart(ctx, serverA)
				b.holds(ctx, leap.from(), fleet{entrance: leap.to().Istio, serverA: leap.to().Istio})
				for _, other := range []string{client, serverB} {
					b.talk(ctx, other, serverA)
					b.talk(ctx, serverA, other)
				}
				b.strict(ctx)
				b.losesNothing(ctx, "while the first server restarts")
			})

			It("has only proxies of "+leap.goal+" once the others have restarted", spec.ID("upgrade."+leap.id+"-all-proxies"), func(ctx SpecContext) {
				b.restart(ctx, serverB)
				b.restart(ctx, client)
				b.holds(ctx, leap.to(), nil)
				b.talk(ctx, client, serverA)
				b.talk(ctx, serverA, client)
				b.losesNothing(ctx, "while the others restart")
			})
		})
	}

	It("ends without a rejected push or a crash of istiod", spec.ID("upgrade.in-place-health"), func(ctx SpecContext) { sound.OfOwnCluster(ctx) })

	It("counts the requests that are lost in place (control)", spec.ID("upgrade.in-place-counts-losses"), func(ctx SpecContext) { b.countsLosses(ctx) })
})
