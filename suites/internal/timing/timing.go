// Package timing names every wait of the suite; no spec holds a literal duration.
package timing

import "time"

// Upper bounds. A spec that reaches one fails; none is a pause.
const (
	// Rollout bounds the time until a Deployment, a managed gateway or an istiod is available.
	Rollout = 2 * time.Minute
	// Push bounds the time from a write to the API server until a proxy or a status shows it:
	// istiod debounces 100 ms to 10 s (PILOT_DEBOUNCE_AFTER, PILOT_DEBOUNCE_MAX).
	Push = 30 * time.Second
	// Begun bounds the time from an istiod's readiness until all its controllers work.
	Begun = 10 * time.Second
	// Request bounds one request of a client on the data plane.
	Request = 10 * time.Second
	// Patience bounds one request of a steady stream, of which losses are asked and not times: on a busy machine a request
	// may wait for a processor longer than Request, and is answered.
	Patience = time.Minute
	// Gone bounds the deletion of a namespace or of what a controller cleans up.
	Gone = 2 * time.Minute
	// Provisioning bounds everything before the first spec.
	Provisioning = 10 * time.Minute
	// UpstreamSetup bounds the wait for upstream's base resources (its own NamespacesMustBeReady).
	UpstreamSetup = 5 * time.Minute
	// UpstreamTest bounds one of upstream's tests, which bounds each of its waits itself.
	UpstreamTest = 10 * time.Minute
	// Diagnostics bounds the collection of what a failed spec leaves behind.
	Diagnostics = time.Minute
)

// Quiet is how long an absence is watched after proof that the change has landed.
const Quiet = 2 * time.Second

// QuietSince is what is left of Quiet when the change is known to have landed at a moment, 0 when nothing is: one look is
// enough then.
func QuietSince(landed time.Time) time.Duration { return max(0, Quiet-time.Since(landed)) }

// Poll is the pause between two looks at a cheap source.
const Poll = 250 * time.Millisecond

// Priorities for Ginkgo's scheduler: what takes minutes starts first, what takes half a minute next, so that the
// processes have short specs left to come to their end together.
const (
	PriorityLong   = 100
	PriorityMedium = 50
)
