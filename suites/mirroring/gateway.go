package mirroring

import (
	"context"
	"net/http"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// gatewayRoutes is the route configuration of the gateway's listener.
const gatewayRoutes = "http.80"

// Workloads without sidecars receive here: the gateway's is the one proxy on the way. The first spec's time
// is mostly that of the pods, which all specs share.
var _ = Describe("A managed gateway", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.Mirroring), func() {
	var (
		ns, elsewhere string
		visitor       echo.Visitor
		held          = &stage{}
	)

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "mirroring-gateway")
		elsewhere = kube.NewNamespace(ctx, "mirroring-elsewhere")
		apply(ctx, ns, "mirrors", "dead", "gateway")
		held.receivers = echo.Deploy(ctx, ns, primary)
		held.receivers[neighbour] = echo.Deploy(ctx, elsewhere, neighbour)[neighbour]
		for name, workload := range echo.Await(ctx, ns, mirrorAll, mirrorHalf, mirrorNone) {
			held.receivers[name] = workload
		}
		visitor.Address = gateway.AwaitProgrammed(ctx, ns, "web", gatewayv1.IPAddressType)
		var err error
		held.proxy, err = gateway.ProxyOf(ctx, ns, "web")
		Expect(err).NotTo(HaveOccurred())
	})

	// copies measures once what becomes of requests for a host whose route has these mirrors.
	copies := func(ctx SpecContext, host string, count int, parts shares, policies ...policy) outcome {
		GinkgoHelper()
		route := held.awaitMirrors(ctx, gatewayRoutes, host, mirrorsOf(ns, "80", policies...))
		held.awaitAddress(ctx, visitor, host)
		seen := held.exchange(ctx, route, func(run string) echo.Answers {
			return visitor.Measure(ctx, "http://"+host+"/", count, http.Header{runHeader: {run}})
		})
		held.expectCopies(seen, count, host, parts)
		return seen
	}

	It("copies all, half and none of 1000 requests from outside to mirrors of 100, 50 and 0 percent", spec.ID("mirroring.shares-gateway"), func(ctx SpecContext) {
		seen := copies(ctx, "shares.example.com", many, shares{mirrorAll: 1, mirrorHalf: 0.5, mirrorNone: 0}, percent(100, mirrorAll), percent(50, mirrorHalf))
		held.expectNoMore(ctx, seen, mirrorNone, neighbour)
	})

	It("copies nothing of requests from outside where no mirror is asked for", spec.ID("mirroring.gateway-without-mirror"), func(ctx SpecContext) {
		seen := copies(ctx, "unmirrored.example.com", some, shares{})
		held.expectNoMore(ctx, seen, mirrorAll, mirrorHalf, mirrorNone, neighbour)
	})

	It("copies every request to each mirror of an HTTPRoute with several RequestMirror filters", spec.ID("mirroring.gateway-httproute-several"), func(ctx SpecContext) {
		copies(ctx, "routed.example.com", some, shares{mirrorAll: 1, mirrorHalf: 1, mirrorNone: 1}, unstated(mirrorAll), unstated(mirrorHalf), unstated(mirrorNone))
	})

	DescribeTable("copies a request's body",
		func(ctx SpecContext, host string, parts shares, policies ...policy) {
			route := held.awaitMirrors(ctx, gatewayRoutes, host, mirrorsOf(ns, "80", policies...))
			held.awaitAddress(ctx, visitor, host)
			var posted []string
			seen := held.exchange(ctx, route, func(run string) echo.Answers {
				var answers echo.Answers
				answers, posted = post(ctx, visitor, host, few, run)
				return answers
			})
			held.expectCopies(seen, few, host, parts)
			for _, receiver := range []string{primary, mirrorAll, mirrorHalf, mirrorNone} {
				got := len(seen.got[receiver])
				evidence.Traffic("bodies at "+receiver, "%d of the %d different ones that were sent", got, len(posted))
				if got == 0 {
					// As many as it is to have: see expectCopies.
					continue
				}
				Expect(seen.each(receiver, func(request echo.Received) string { return request.Method })).To(HaveExactElements(http.MethodPost), "method at %s", receiver)
				Expect(inBoth(posted, seen.each(receiver, bodyOf))).To(Equal(got), "number of the bodies that were sent among those of the %d requests at %s", got, receiver)
			}
		},
		Entry("by a VirtualService", spec.ID("mirroring.gateway-body-virtualservice"),
			"shares.example.com", shares{mirrorAll: 1, mirrorHalf: 0.5, mirrorNone: 0}, percent(100, mirrorAll), percent(50, mirrorHalf)),
		Entry("by an HTTPRoute", spec.ID("mirroring.gateway-body-httproute"),
			"routed.example.com", shares{mirrorAll: 1, mirrorHalf: 1, mirrorNone: 1}, unstated(mirrorAll), unstated(mirrorHalf), unstated(mirrorNone)),
	)

	It("answers as soon beside dead mirrors as without any", spec.ID("mirroring.gateway-dead-mirrors"), func(ctx SpecContext) {
		const beside, without = "beside-dead.example.com", "unmirrored.example.com"
		held.awaitMirrors(ctx, gatewayRoutes, beside, mirrorsOf(ns, "80", unstated("absent"), unstated("refusing"), unstated("unknown")))
		held.awaitMirrors(ctx, gatewayRoutes, without, nil)
		refusing := clusterOf(ns, "80", "", "refusing")
		held.awaitEndpoints(ctx, clusterOf(ns, "80", "", primary), refusing)
		held.awaitAddress(ctx, visitor, beside)
		held.awaitAddress(ctx, visitor, without)
		dead := []string{clusterOf(ns, "80", "", "absent"), refusing}
		before := held.atRest(ctx, dead...)

		By("measuring once")
		took, answers := timed(ctx, visitor, few, beside, without)
		for _, host := range []string{beside, without} {
			Expect(answers[host].Sent).To(Equal(few))
			Expect(answers[host]).To(match.HaveStatus(200))
			Expect(answers[host]).To(match.BeServedBy(held.receivers[primary]))
		}
		Expect(median(took[beside])).To(BeNumerically("<=", slices.Max(took[without])),
			"half of the answers beside dead mirrors came later than the slowest without mirrors: %s against %s", spread(took[beside]), spread(took[without]))

		By("making sure that the mirrors were tried")
		Eventually(ctx, func(ctx context.Context) (counts, error) {
			after, err := held.counted(ctx, dead...)
			return after.since(before), err
		}, timing.Push(), timing.Poll).Should(Equal(counts{Failed: 2 * few, Unserved: few}), "what %s has counted of copies to %q", held.proxy, dead)
	})

	across(held, func() (echo.Visitor, string, string) { return visitor, ns, elsewhere })
})
