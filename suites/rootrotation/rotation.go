package rootrotation

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/sound"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/steady"
	"mesh-conformance/suites/internal/timing"
)

// Each spec is a step of one rotation: after one that fails, the others would show nothing.
var _ = Describe("A plugged root", Ordered, SpecPriority(timing.PriorityLong), Label(catalogue.RootRotation, catalogue.Smoke), func() {
	var (
		r *rotation
		// workloads and control are what runs: none of it is to be replaced, or restarted, from then on.
		workloads, control []string
		// atFirst is what the workload holds whose agent does not ask for roots.
		atFirst held
		// signed is when the secret got the new signer.
		signed time.Time
	)

	evidence.BeforeAll(func(ctx SpecContext) {
		r = begin(ctx)
		workloads = running(ctx, r.namespace)
		atFirst = now(ctx, r.unsubscribed)
	})

	It("is the one that workloads trust and that their leaves chain to", spec.ID("rootrotation.first-root-trusted"), func(ctx SpecContext) {
		r.follow(ctx, timing.Push(), And(trustOnly(r.older.root), haveLeafBy(r.older.signer, r.older.root)))
		Expect(atFirst).To(And(trustOnly(r.older.root), haveLeafBy(r.older.signer, r.older.root)))

		By("measuring once, with identities under it, under none and under another")
		answers := r.client.Measure(ctx, r.server.URL("/"), requests)
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.HaveSPIFFE(r.client.SPIFFE()))
		Expect(r.unsubscribed.Measure(ctx, r.server.URL("/"), requests)).To(match.HaveStatus(200))
		Expect(r.showing(ctx, "old")).To(match.HaveStatus(200))
		Expect(r.showing(ctx, "new")).To(match.BeTurnedAway())
		Expect(r.outsider.Measure(ctx, r.server.URL("/"), requests)).To(match.BeCutOff())
		Expect(r.take(ctx, "before the secret changed")).To(steady.LoseNothing())
	})

	It("is joined by no second root where ISTIO_MULTIROOT_MESH is off, the default", spec.ID("rootrotation.multiroot-off"), func(ctx SpecContext) {
		r.refuse(ctx, "a second root", plugged(r.older.signer, r.older.root, r.newer.root), saysSingleRoot, r.older.root)
		r.step(ctx, "the secret of before", plugged(r.older.signer, r.older.root))
	})

	Context("with ISTIO_MULTIROOT_MESH", func() {
		evidence.BeforeAll(func(ctx SpecContext) {
			client, server := now(ctx, r.client), now(ctx, r.server)
			r.istiod = allowSeveralRoots(ctx)
			control = running(ctx, mesh.Namespace)
			// An agent renews its leaf when it is first told of roots: both have found the new istiod, and the next
			// renewal that comes of itself is as far away as it can be.
			Eventually(ctx, holds(r.client), timing.Rollout(), timing.Poll).Should(haveAnotherLeafThan(client))
			Eventually(ctx, holds(r.server), timing.Rollout(), timing.Poll).Should(haveAnotherLeafThan(server))
			r.take(ctx, "while istiod was replaced")
		})

		It("is not replaced by an unrelated root at once", spec.ID("rootrotation.no-unrelated-root"), func(ctx SpecContext) {
			r.refuse(ctx, "an unrelated root", plugged(r.alien.signer, r.alien.root), saysUnrelated, r.older.root)
		})

		It("is joined by a second root at every proxy, and leaves are renewed", spec.ID("rootrotation.second-root-joins"), func(ctx SpecContext) {
			client, server := now(ctx, r.client), now(ctx, r.server)
			begun := r.step(ctx, "a second root", plugged(r.older.signer, r.older.root, r.newer.root))
			r.follow(ctx, timing.Push(), trustOnly(r.older.root, r.newer.root))
			timed("two roots at both proxies", begun)

			By("seeing leaves renewed by the signer of before, and not for their age")
			r.renewedEarly(ctx, r.client, client)
			r.renewedEarly(ctx, r.server, server)
			timed("leaves renewed at both proxies", begun)
			r.follow(ctx, timing.Push(), And(trustOnly(r.older.root, r.newer.root), haveLeafBy(r.older.signer, r.older.root)))
			r.publishes(ctx, r.older.root, r.newer.root)
			r.take(ctx, "while the second root came")
		})

		It("stays the only one for a workload whose agent does not ask for roots", spec.ID("rootrotation.agent-without-roots-keeps-first"), func(ctx SpecContext) {
			Consistently(ctx, holds(r.unsubscribed), timing.Quiet, timing.Poll).Should(And(trustOnly(r.older.root), Not(haveAnotherLeafThan(atFirst))))
			sidecar.ReplayDump(r.unsubscribed, "dynamic_active_secrets")
			evidence.Config("proxy of the agent that does not ask", "%s", atFirst)
		})

		It("is left by istiod for a signer under the second root", spec.ID("rootrotation.signer-moves"), func(ctx SpecContext) {
			signed = r.step(ctx, "a signer under the second root", plugged(r.newer.signer, r.older.root, r.newer.root))
			var found held
			Eventually(ctx, func(ctx context.Context) (_ held, err error) {
				found, err = r.istiod.presents(ctx)
				return found, err
			}, timing.Push(), timing.Poll).Should(haveLeafBy(r.newer.signer, r.newer.root))
			evidence.Config("istiod's own certificate", "%s", found)
			r.follow(ctx, timing.Push(), trustOnly(r.older.root, r.newer.root))
			r.take(ctx, "while the signer changed")
		})

		It("is not affected by a secret with the key of another signer, which istiod refuses", spec.ID("rootrotation.refuses-key-of-other-signer"), func(ctx SpecContext) {
			content, err := certificate.WithKeyOf(plugged(r.newer.signer, r.older.root, r.newer.root), r.alien.signer)
			Expect(err).NotTo(HaveOccurred())
			r.refuse(ctx, "a mismatched key", content, saysMismatch, r.older.root, r.newer.root)
		})

		It("is not affected by a secret with an expired signer, which istiod refuses", spec.ID("rootrotation.refuses-expired-signer"), func(ctx SpecContext) {
			late, err := r.newer.signer.Expired()
			Expect(err).NotTo(HaveOccurred())
			r.refuse(ctx, "an expired signer", plugged(late, r.older.root, r.newer.root), saysExpired, r.older.root, r.newer.root)
		})

		// Up to 45 s: agents renew a leaf in their own time, and nobody tells them of a signer. The secret is still the
		// one that istiod refused: it signs by what it took before.
		It("has no leaf under it any more when each has been renewed", spec.ID("rootrotation.leaves-renewed"), func(ctx SpecContext) {
			r.follow(ctx, timing.Rollout(), And(trustOnly(r.older.root, r.newer.root), haveLeafBy(r.newer.signer, r.newer.root)))
			timed("leaves by the new signer at both proxies", signed)
			r.take(ctx, "while leaves came to be the new signer's")
		})

		It("is dropped by every proxy", spec.ID("rootrotation.first-root-dropped"), func(ctx SpecContext) {
			client, server := now(ctx, r.client), now(ctx, r.server)
			begun := r.step(ctx, "the second root alone", plugged(r.newer.signer, r.newer.root))
			r.follow(ctx, timing.Push(), And(trustOnly(r.newer.root), haveLeafBy(r.newer.signer, r.newer.root)))
			timed("the second root alone at both proxies", begun)
			// Roots come with each leaf as well: those that came for a leaf's age would tell nothing of istiod's push.
			r.renewedEarly(ctx, r.client, client)
			r.renewedEarly(ctx, r.server, server)
			r.publishes(ctx, r.newer.root)
			r.take(ctx, "while the old root was dropped")
		})

		It("lets nobody in once it is dropped", spec.ID("rootrotation.dropped-root-refused"), func(ctx SpecContext) {
			r.follow(ctx, timing.Push(), trustOnly(r.newer.root))

			By("measuring once")
			Expect(r.client.Measure(ctx, r.server.URL("/"), requests)).To(match.HaveStatus(200))
			Expect(r.showing(ctx, "new")).To(match.HaveStatus(200))
			Expect(r.showing(ctx, "old")).To(match.BeTurnedAway())
		})

		It("leaves a workload behind, cut off, whose agent does not ask for roots", spec.ID("rootrotation.agent-without-roots-left-behind"), func(ctx SpecContext) {
			left := now(ctx, r.unsubscribed)
			Expect(left).To(And(trustOnly(r.older.root), Not(haveAnotherLeafThan(atFirst))))
			// Neither can take the other's leaf.
			server := now(ctx, r.server)
			Expect(server).NotTo(beTakenBy(left))
			Expect(left).NotTo(beTakenBy(server))
			evidence.Config("proxy of the agent that does not ask", "%s", left)

			By("measuring once")
			answers := r.unsubscribed.Measure(ctx, r.server.URL("/"), requests)
			Expect(answers).To(match.BeRefused(503, "connection failure"))
		})

		It("is replaced without a request lost, or a connection", spec.ID("rootrotation.nothing-lost"), func(ctx SpecContext) {
			Expect(r.connection.Take("from the first step to the last")).To(steady.BeHeld())
			r.taken = append(r.taken, r.stream.Stop(ctx, "after the last step"))
			total := sum(r.taken)
			evidence.Traffic(total.Way+", from the first step to the last", "%s", total)
			Expect(total).To(steady.LoseNothing())
		})

		It("is replaced without a restart", spec.ID("rootrotation.nothing-restarts"), func(ctx SpecContext) {
			Expect(workloads).NotTo(BeEmpty())
			Expect(changed(workloads, running(ctx, r.namespace))).To(BeEmpty(), "containers of the workloads that were replaced or restarted")
			Expect(control).NotTo(BeEmpty())
			Expect(changed(control, running(ctx, mesh.Namespace))).To(BeEmpty(), "containers of the control plane that were replaced or restarted")
			evidence.API("containers", "%s", strings.Join(append(workloads, control...), ", "))
		})

		It("is what a workload trusts that had been left behind, once it restarts", spec.ID("rootrotation.left-behind-restarts"), func(ctx SpecContext) {
			r.unsubscribed = echo.Restart(ctx, r.unsubscribed)
			Eventually(ctx, holds(r.unsubscribed), timing.Push(), timing.Poll).Should(And(trustOnly(r.newer.root), haveLeafBy(r.newer.signer, r.newer.root)))
			sidecar.ReplayDump(r.unsubscribed, "dynamic_active_secrets")
			sidecar.AwaitReach(ctx, r.unsubscribed, r.server)
			Expect(r.unsubscribed.Measure(ctx, r.server.URL("/"), requests)).To(match.HaveStatus(200))
		})

		It("has had no proxy refuse what it was sent, and no istiod crash", spec.ID("rootrotation.health"), func(ctx SpecContext) { sound.OfOwnCluster(ctx) })
	})
})
