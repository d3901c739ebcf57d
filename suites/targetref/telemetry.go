package targetref

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	telemetryv1alpha1 "istio.io/client-go/pkg/apis/telemetry/v1alpha1"
	"k8s.io/apimachinery/pkg/util/rand"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// What the provider envoy of Istio's defaults is made of, and its lack.
var (
	logging = match.HoldOnly("envoy.access_loggers.file")
	silent  = match.HoldOnly()
)

// ofTelemetries leaves the site without any.
func ofTelemetries(s *site) {
	evidence.BeforeAll(func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			s.clear(ctx, &telemetryv1alpha1.Telemetry{}, loggers, silent, s.all()...)
		})
		By("making sure that no proxy logs requests before")
		Expect(loggers(ctx, []entrance{s.a, s.b, s.namesake, s.backend})).To(silent)
	})

	// visit asks for a path of its own through an entrance, which its access log then shows.
	visit := func(ctx context.Context, e entrance) (path string) {
		GinkgoHelper()
		path = "/log-" + rand.String(8)
		e.replayLog(path)
		Expect(e.measure(ctx, path)).To(match.HaveStatus(200))
		return path
	}

	// logs asserts that an entrance logs requests. It waits for the lines: a proxy writes its log once in a while.
	logs := func(ctx context.Context, e entrance) {
		GinkgoHelper()
		loggers.await(ctx, logging, e)
		path := visit(ctx, e)
		Eventually(ctx, e.logged, timing.Push(), timing.Poll).WithArguments(path).Should(Equal(requests), "requests logged by %s", e.name)
		evidence.Traffic("access log of "+e.name, "%d lines for %d requests", requests, requests)
	}

	// logsNothing asserts that an entrance does not, once others are known to log.
	logsNothing := func(ctx context.Context, e entrance) {
		GinkgoHelper()
		path := visit(ctx, e)
		loggers.record(ctx, []entrance{e})
		Consistently(ctx, e.logged, timing.Quiet, timing.Poll).WithArguments(path).Should(BeZero(), "requests that only others are to log, logged by %s", e.name)
		// A busy proxy may write its lines after that.
		Expect(loggers(ctx, []entrance{e})).To(silent, "requests that only others are to log, logged by %s", e.name)
	}

	Context("for Gateway gw-a", func() {
		evidence.BeforeAll(func(ctx SpecContext) {
			kube.Apply(ctx, s.ns, "targetref/telemetry.yaml")
		})
		BeforeEach(func(ctx SpecContext) { logs(ctx, s.a) })

		It("makes the Gateway named by its targetRef write access logs", spec.ID("targetref.telemetry.named-gateway-logs"), Label(catalogue.Smoke), func(ctx SpecContext) {
			Expect(loggers(ctx, []entrance{s.a})).To(logging)
		})

		// "The targetRef specifies the gateway the policy should be applied to. The targeted resource specified will
		// determine which workloads the telemetry policy applies to." (istio.io/api, telemetry/v1alpha1)
		DescribeTable("touches no neighbour:",
			func(ctx SpecContext, neighbour func() entrance) { logsNothing(ctx, neighbour()) },
			Entry("the sibling Gateway of the namespace does not log", spec.ID("targetref.telemetry.not-sibling"),
				func() entrance { return s.b }),
			Entry("the Gateway of the same name in another namespace does not log", spec.ID("targetref.telemetry.not-namesake"),
				Label(catalogue.Smoke), func() entrance { return s.namesake }),
			Entry("the sidecar of the backend behind the Gateway does not log", spec.ID("targetref.telemetry.not-backend"),
				func() entrance { return s.backend }),
		)
	})

	It("ends with its deletion", spec.ID("targetref.telemetry.ends-with-deletion"), func(ctx SpecContext) {
		loggers.await(ctx, logging, s.a)
		kube.Remove[telemetryv1alpha1.Telemetry](ctx, s.ns, "access-log")
		loggers.await(ctx, silent, s.a, s.b, s.backend)
		logsNothing(ctx, s.a)
	})

	It("reaches a Gateway by a selector for its pods, unless that is switched off", spec.ID("targetref.telemetry.selector-reaches-gateway"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/telemetry-selector.yaml")
		DeferCleanup(func(ctx SpecContext) {
			kube.Remove[telemetryv1alpha1.Telemetry](ctx, s.ns, "access-log-selector")
			loggers.await(ctx, silent, s.a)
		})
		logs(ctx, s.a)
		logsNothing(ctx, s.b)
	})

	// The control: what a targetRef has to keep away from the neighbours would reach each of them.
	It("reaches every proxy of its namespace where it has no targetRef", spec.ID("targetref.telemetry.whole-namespace-without"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/telemetry-namespace.yaml")
		for _, member := range []entrance{s.a, s.b, s.backend} {
			logs(ctx, member)
		}
		logsNothing(ctx, s.namesake)
	})
}
