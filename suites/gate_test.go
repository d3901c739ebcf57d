package suites

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/hack/gate"
	"mesh-conformance/suites/internal/results"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// passage is this process' place at the driver's gate.
type passage struct {
	leave func()
	// over says that the container, or the single spec, for which the place is held has run its last spec.
	over bool
}

// passed is empty while this process runs no spec.
var passed passage

// A process passes the gate before each single spec, and once before the specs of an Ordered container, because such
// a container keeps its cluster and its workloads between its specs.
var _ = BeforeEach(func(ctx SpecContext) {
	job := session.Job()
	if job.Gate == "" {
		return
	}
	// A container may have ended without the end of its last spec.
	leaveGate()
	leave, waited, err := gate.Enter(ctx, job.Gate, results.SpecID(CurrentSpecReport()), stretch)
	Expect(err).NotTo(HaveOccurred())
	passed = passage{leave: leave}
	AddReportEntry(results.EntryWaited, fmt.Sprintf("%.3f", waited.Seconds()), ReportEntryVisibilityNever)
	DeferCleanup(func() { passed.over = true })
}, OncePerOrdered, PollProgressAfter(0))

// The place is given back after everything that the specs left has been cleaned up: Ginkgo runs a container's
// cleanups after those of its BeforeEach nodes.
var _ = ReportAfterEach(func(SpecReport) {
	if passed.over {
		leaveGate()
	}
})

// leaveGate gives the place back, where this process has one.
func leaveGate() {
	if passed.leave != nil {
		passed.leave()
	}
	passed = passage{}
}

// stretch follows the driver's measure of the machine.
func stretch(state gate.State) { timing.Stretch(state.Factor) }
