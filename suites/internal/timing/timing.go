// Package timing names every wait of the suite; no spec holds a literal duration.
package timing

import (
	"math"
	"sync/atomic"
	"time"

	"mesh-conformance/hack/machine"
)

// Limits of waits on a machine that is not slow. A spec that reaches one fails; none is a pause.
const (
	rollout       = 5 * time.Minute
	push          = 90 * time.Second
	begun         = 10 * time.Second
	request       = 10 * time.Second
	patience      = 2 * time.Minute
	gone          = 5 * time.Minute
	provisioning  = 20 * time.Minute
	upstreamSetup = 5 * time.Minute
	diagnostics   = time.Minute
)

// Longest bounds a whole Ginkgo node, such as a cleanup. It only ends a node that hangs, because every wait inside
// the node has a limit of its own, which says what it waited for.
const Longest = time.Hour

// factor holds the bits of the float64 by which Stretch multiplies the limits; 0 means 1.
var factor atomic.Uint64

// Stretch multiplies the limits of all waits that begin from now on in this process. by is how many times slower the
// machine is than a quiet one with two cores; values below 1 count as 1, values above LongestFactor as
// LongestFactor.
func Stretch(by float64) {
	if math.IsNaN(by) {
		by = 1
	}
	factor.Store(math.Float64bits(min(max(by, 1), machine.MostFactor)))
}

// Factor returns by how much the limits are multiplied at present, from 1 to LongestFactor.
func Factor() float64 {
	if bits := factor.Load(); bits != 0 {
		return math.Float64frombits(bits)
	}
	return 1
}

func stretched(limit time.Duration) time.Duration {
	return time.Duration(float64(limit) * Factor()).Round(time.Second)
}

// Rollout bounds the time until a Deployment, a managed gateway or an istiod is available.
func Rollout() time.Duration { return stretched(rollout) }

// Push bounds the time from a write to the API server until a proxy or a status shows it: istiod debounces from 100
// ms to 10 s (PILOT_DEBOUNCE_AFTER, PILOT_DEBOUNCE_MAX).
func Push() time.Duration { return stretched(push) }

// Begun bounds the time from an istiod's readiness until all its controllers work.
func Begun() time.Duration { return stretched(begun) }

// Request bounds one request of a client on the data plane.
func Request() time.Duration { return stretched(request) }

// Patience bounds one request of a stream of background traffic. The stream counts lost requests, not slow ones, and
// on a busy machine a request may wait for a processor longer than Request.
func Patience() time.Duration { return stretched(patience) }

// Gone bounds the deletion of a namespace, or of what a controller cleans up.
func Gone() time.Duration { return stretched(gone) }

// Provisioning bounds everything before the first spec of a cluster.
func Provisioning() time.Duration { return stretched(provisioning) }

// UpstreamSetup bounds the wait for the Gateway API suite's base resources (its own NamespacesMustBeReady).
func UpstreamSetup() time.Duration { return stretched(upstreamSetup) }

// Diagnostics bounds the collection of what a failed spec leaves behind.
func Diagnostics() time.Duration { return stretched(diagnostics) }

// Quiet is how long an absence is watched after proof that the change has landed.
const Quiet = 2 * time.Second

// QuietSince is what is left of Quiet when the change is known to have landed at a moment, 0 when nothing is: one
// look is enough then.
func QuietSince(landed time.Time) time.Duration { return max(0, Quiet-time.Since(landed)) }

// Poll is the pause between two looks at a cheap source.
const Poll = 250 * time.Millisecond

// Priorities for Ginkgo's scheduler: what takes minutes starts first, what takes half a minute next, so that the
// processes have short specs left to come to their end together.
const (
	PriorityLong   = 100
	PriorityMedium = 50
)
