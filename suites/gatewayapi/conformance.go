package gatewayapi

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/failure"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/upstream"
)

// infraLock is held by every test that uses the infra namespace, exclusively by those that need every
// Gateway in it ready.
const infraLock = "gateway-conformance-infra"

var _ = Describe("Gateway API v1.0 conformance", func() {
	all, err := planned()
	if err != nil {
		panic(err)
	}
	for _, l := range all {
		Describe("lane "+l.name, Ordered, ContinueOnFailure, SpecPriority(timing.PriorityLong), func() {
			BeforeAll(func(ctx SpecContext) {
				By("waiting until the base resources of the lane work")
				gateways, mesh := l.needs()
				if mesh {
					Expect(ready(ctx, kube.Shared(), meshManifest)).To(Succeed())
				}
				if gateways {
					Expect(ready(ctx, kube.Shared(), gatewayManifest)).To(Succeed())
				}
			}, NodeTimeout(timing.Longest))

			for _, name := range l.tests {
				test, found := find(name)
				if !found {
					panic("upstream has no test " + name)
				}
				It(fmt.Sprintf("%s: %s", test.ShortName, test.Description), spec.ID(rowOf(test)+"."+test.ShortName), Label(labelsOf(test)...), func(ctx SpecContext) {
					runTest(ctx, test, l.access(name))
				}, NodeTimeout(timing.Longest))
			}
		})
	}
})

// runTest runs one of upstream's tests unchanged. Diagnostics are taken when the test has failed and
// before it removes its resources.
func runTest(ctx SpecContext, test suite.ConformanceTest, infra access) {
	GinkgoHelper()
	if infra != elsewhere {
		unlock, err := session.Lock(infraLock, infra == alone)
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(unlock()).To(Succeed()) }()
	}

	s := newSuite(kube.Shared())
	judged := test.Test
	test.Test = func(t *testing.T, s *suite.ConformanceTestSuite) {
		t.Cleanup(func() {
			if t.Failed() {
				failure.Dump(ctx, slices.Concat(gatewayNamespaces, meshNamespaces))
			}
		})
		judged(t, s)
	}
	said := &lastWords{}
	outcome, err := upstream.Run(test.ShortName, said.beside(GinkgoWriter), func(t *testing.T) { test.Run(t, s) })
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("go test sigs.k8s.io/gateway-api/conformance -run TestConformance -args --gateway-class=istio --all-features --run-test=%s", test.ShortName)
	evidence.Traffic("upstream's test", "%s", verdict(outcome))
	switch {
	case !outcome.Ran:
		Fail("the testing package did not run " + test.ShortName)
	case outcome.Failed:
		Fail(test.ShortName + " failed: " + said.why())
	case outcome.Skipped:
		Fail(test.ShortName + " skipped itself: " + said.why())
	}
}

func verdict(outcome upstream.Outcome) string {
	switch {
	case outcome.Failed:
		return "failed"
	case outcome.Skipped:
		return "skipped"
	}
	return "passed"
}
