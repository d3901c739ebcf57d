package mirroring

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// conditionOf returns a function that reads the status of a condition from the first parent of a route; "" where there is none.
func conditionOf(kind gatewayv1.RouteConditionType) func(*gatewayv1.HTTPRoute) metav1.ConditionStatus {
	return func(route *gatewayv1.HTTPRoute) metav1.ConditionStatus {
		for _, parent := range route.Status.Parents {
			if condition := meta.FindStatusCondition(parent.Conditions, string(kind)); condition != nil {
				return condition.Status
			}
		}
		return ""
	}
}

// neighbour is the workload of the other namespace.
const neighbour = "neighbour"

// across adds to the gateway's container the specs of RequestMirrors to another namespace, which has to
// grant them, and to nowhere.
func across(held *stage, at func() (visitor echo.Visitor, ns, elsewhere string)) {
	Context("whose routes mirror elsewhere", func() {
		evidence.BeforeAll(func(ctx SpecContext) {
			_, ns, elsewhere := at()
			apply(ctx, elsewhere, "elsewhere")
			kube.Change(ctx, elsewhere, "mirrors", func(grant *gatewayv1beta1.ReferenceGrant) {
				grant.Spec.From[0].Namespace = gatewayv1.Namespace(ns)
			})
			apply(ctx, ns, "httproutes-elsewhere")
			for _, name := range []string{"granted", "ungranted"} {
				kube.Change(ctx, ns, name, func(route *gatewayv1.HTTPRoute) {
					namespace := gatewayv1.Namespace(elsewhere)
					route.Spec.Rules[0].Filters[0].RequestMirror.BackendRef.Namespace = &namespace
				})
			}
			By("waiting until the gateway's proxy holds a route that came later")
			apply(ctx, ns, "httproute-later")
			held.awaitMirrors(ctx, gatewayRoutes, "later.example.com", nil)
		})

		It("copies requests to a Service of another namespace that grants it", spec.ID("mirroring.granted-namespace"), func(ctx SpecContext) {
			const host = "granted.example.com"
			visitor, ns, elsewhere := at()
			route := held.awaitMirrors(ctx, gatewayRoutes, host, mirrorsOf(elsewhere, "80", unstated("granted")))
			held.awaitAddress(ctx, visitor, host)
			seen := held.exchange(ctx, route, func(run string) echo.Answers {
				return visitor.Measure(ctx, "http://"+host+"/", some, http.Header{runHeader: {run}})
			})
			held.expectCopies(seen, some, host, shares{neighbour: 1})

			Eventually(ctx, kube.Getter[gatewayv1.HTTPRoute](ns, "granted"), timing.Push(), timing.Poll).Should(
				match.HaveCondition(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionTrue, gatewayv1.RouteReasonResolvedRefs))
			evidence.Look(ns, "httproute", "granted")
			evidence.API("HTTPRoute granted", "ResolvedRefs=True")
		})

		It("sends nothing to a Service of another namespace that does not grant it", spec.ID("mirroring.ungranted-namespace"), func(ctx SpecContext) {
			const host = "ungranted.example.com"
			visitor, _, _ := at()
			seen := held.unseen()
			By("measuring once")
			answers := visitor.Measure(ctx, "http://"+host+"/", few, http.Header{runHeader: {seen.run}})
			Expect(answers.All).To(HaveLen(few), "answers, whatever they are")
			held.expectNoMore(ctx, seen, neighbour)
			evidence.Traffic("requests at neighbour", "none of %d", few)
		})

		DescribeTable("reports a RequestMirror to",
			func(ctx SpecContext, name string, reason gatewayv1.RouteConditionReason) {
				_, ns, _ := at()
				Eventually(ctx, kube.Getter[gatewayv1.HTTPRoute](ns, name), timing.Push(), timing.Poll).Should(
					match.HaveCondition(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionFalse, reason))
				evidence.Look(ns, "httproute", name)
				evidence.API("HTTPRoute "+name, "ResolvedRefs=False (%s)", reason)
			},
			Entry("a Service of another namespace that does not grant it", spec.ID("mirroring.reports-ungranted"),
				"ungranted", gatewayv1.RouteReasonRefNotPermitted),
			Entry("a Service that is not there", spec.ID("mirroring.reports-missing-service"),
				"missing", gatewayv1.RouteReasonBackendNotFound),
		)

		// The API has the controller "not configure this backend", and says nothing against the rule around it.
		DescribeTable("answers requests for",
			func(ctx SpecContext, name string) {
				visitor, ns, _ := at()
				By("waiting until istiod has judged the route: before that, a 404 says nothing")
				Eventually(ctx, kube.Getter[gatewayv1.HTTPRoute](ns, name), timing.Push(), timing.Poll).Should(
					WithTransform(conditionOf(gatewayv1.RouteConditionResolvedRefs), Equal(metav1.ConditionFalse)), "ResolvedRefs of HTTPRoute %s", name)
				url := "http://" + name + ".example.com/"
				_ = wait.PollUntilContextTimeout(ctx, timing.Poll, timing.Moment(), true, func(ctx context.Context) (bool, error) {
					answers, err := visitor.Send(ctx, url, 1)
					return err == nil && len(answers.All) == 1 && answers.All[0].Status == http.StatusOK, nil
				})
				answers := visitor.Measure(ctx, url, few)
				Expect(answers).To(match.HaveStatus(200), "requests for route %s, whose mirror istiod has rejected", name)
				Expect(answers).To(match.BeServedBy(held.receivers[primary]))
			},
			Entry("a route whose RequestMirror is not granted", spec.ID("mirroring.answers-ungranted"), "ungranted"),
			Entry("a route whose RequestMirror names no Service", spec.ID("mirroring.answers-missing-service"),
				"missing"),
		)
	})
}
