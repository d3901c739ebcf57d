package mirroring

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// slowPort is the container port of the mirror that holds requests.
const slowPort = 8081

// harmless adds to a container the specs of mirrors that do not answer, those of mirroring/harm.yaml: who
// asks for the host beside one is answered as if there were none.
func harmless(held *stage, at func() (client *echo.Workload, ns string)) {
	// answered sends requests for the host beside a mirror: the primary answers them all.
	answered := func(ctx context.Context, mirror string) {
		GinkgoHelper()
		client, ns := at()
		answers := ask(ctx, client, "http://"+fullName("beside-"+mirror, ns)+"/", few)
		Expect(answers).To(match.HaveStatus(200))
		Expect(answers).To(match.BeServedBy(held.receivers[primary]))
	}
	// await waits until the sidecar holds the mirror beside a host, and the primary.
	await := func(ctx context.Context, mirror string) {
		GinkgoHelper()
		_, ns := at()
		host := fullName("beside-"+mirror, ns)
		held.awaitMirrors(ctx, "80", host, mirrorsOf(ns, "80", unstated(mirror)))
		held.awaitEndpoints(ctx, clusterOf(ns, "80", "", "beside-"+mirror))
	}

	DescribeTable("answers as without a mirror beside",
		func(ctx SpecContext, mirror string, want counts) {
			_, ns := at()
			cluster := clusterOf(ns, "80", "", mirror)
			await(ctx, mirror)
			before := held.atRest(ctx, cluster)

			By("measuring once")
			answered(ctx, mirror)

			By("making sure that the mirror was tried")
			Eventually(ctx, func(ctx context.Context) (counts, error) {
				after, err := held.counted(ctx, cluster)
				return after.since(before), err
			}, timing.Push(), timing.Poll).Should(Equal(want), "what %s has counted of copies to %s", held.proxy, cluster)
			evidence.Traffic("copies to "+cluster, "%+v", want)
		},
		Entry("a mirror without pods", spec.ID("mirroring.harmless-without-pods"),
			"absent", counts{Failed: few, Unserved: few}),
		Entry("a mirror that refuses connections", spec.ID("mirroring.harmless-refusing"),
			"refusing", counts{Total: few, Failed: few}),
	)

	It("answers as without a mirror where that is no Service", spec.ID("mirroring.harmless-no-service"), func(ctx SpecContext) {
		await(ctx, "unknown")
		By("measuring once")
		answered(ctx, "unknown")
	})

	It("answers while the mirror still holds the copy of every request", spec.ID("mirroring.harmless-slow-mirror"), func(ctx SpecContext) {
		_, ns := at()
		cluster := clusterOf(ns, "80", "", "slow")
		By("waiting until the mirror's proxy holds requests back")
		sidecar.AwaitInbound(ctx, held.receivers[mirrorNone], match.HaveHTTPFilter(slowPort, "slow"))
		await(ctx, "slow")
		held.awaitEndpoints(ctx, cluster)

		By("measuring once")
		answered(ctx, "slow")

		By("looking at the copies after the last answer")
		Eventually(ctx, held.counted, timing.Push(), timing.Poll).WithArguments(cluster).Should(
			Equal(counts{Total: few, UnderWay: few}), "after all callers were answered: what %s has counted of copies to %s", held.proxy, cluster)
		evidence.Traffic("copies after the last answer", "%d sent, %d of them not answered", few, few)
	})
}
