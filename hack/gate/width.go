package gate

import (
	"math"
	"time"

	"mesh-conformance/hack/machine"
)

// UsualProvisioning is how long it takes to make the shared cluster ready on a quiet machine with two cores.
const UsualProvisioning = 20 * time.Second

const (
	// crowded is the slowness above which the width shrinks, calm the one below which it grows.
	crowded, calm = 1.25, 0.8
	// window is the stretch by whose lag the width shrinks, and settle how long a change of it is given to show.
	window, settle = 10 * time.Second, 10 * time.Second
	// leave is the stretch that must be calm before the width grows. It is longer, because a slow machine is calm for
	// some seconds whenever its one process waits for something, and nobody who has passed is sent back.
	leave = time.Minute
	// steady is the stretch by whose lag time limits are stretched: long enough not to follow each peak.
	steady = 30 * time.Second
	// leisure is how many times its usual time provisioning may take before the machine counts as slow.
	leisure = 1.6
)

// Controller sets the width and the factor of the gate from samples of the machine.
type Controller struct {
	// Most is the largest width.
	Most int
	// Cores is how many cores the run may use.
	Cores int
	// Factor, unless it is 0, fixes by how much time limits are stretched.
	Factor float64
	// Speed is how many times slower this machine is than others even when nothing else runs on it (machine.Speed).
	Speed float64

	provisioning float64
	width        int
	changed      time.Time
	samples      []machine.Sample
}

// Begin returns the state that specs begin with, when provisioning took so many seconds; negative where a kept
// cluster is reused. Five processes suit two quiet cores. Nobody who has passed is sent back, so that a width which
// is too large at first stays so for minutes.
func (c *Controller) Begin(seconds float64) State {
	now := c.now()
	c.provisioning = seconds / UsualProvisioning.Seconds() / leisure
	c.width, c.changed = min(c.Most, (5*c.Cores+1)/2), now
	slowness := max(c.provisioning, c.slowness(now, steady))
	if slowness > 1 {
		c.width = max(1, int(float64(c.width)/(slowness*slowness)))
	}
	return c.state(now)
}

// Next takes a sample in and returns the state from now on. holding and waiting count the processes that hold a
// place, and that wait for one.
func (c *Controller) Next(sample machine.Sample, holding, waiting int) State {
	now := sample.At
	c.samples = append(c.samples, sample)
	for len(c.samples) > 0 && (now.Sub(c.samples[0].At) > leave || now.Before(c.samples[0].At)) {
		c.samples = c.samples[1:]
	}
	if c.width == 0 {
		// Specs have not begun.
		return State{Width: c.Most, Factor: c.factor(now)}
	}
	// A clock that was set back must not hold the width.
	if since := now.Sub(c.changed); since >= settle || since < 0 {
		switch {
		case c.slowness(now, window) > crowded && holding > 1 && holding <= c.width:
			c.width, c.changed = holding-1, now
		case c.slowness(now, leave) < calm && waiting > 0 && holding >= c.width && c.width < c.Most:
			c.width, c.changed = c.width+1, now
		}
	}
	return c.state(now)
}

// Recent returns the lag by which the width is judged at present.
func (c *Controller) Recent() machine.Lag {
	return machine.Between(c.samples, c.now().Add(-window), c.now())
}

// now is the end of the newest sample.
func (c *Controller) now() time.Time {
	if len(c.samples) == 0 {
		return time.Time{}
	}
	return c.samples[len(c.samples)-1].At
}

func (c *Controller) state(now time.Time) State { return State{Width: c.width, Factor: c.factor(now)} }

// factor is by how much time limits are stretched: in steps of a half, so that a run has few of them.
func (c *Controller) factor(now time.Time) float64 {
	if c.Factor > 0 {
		return c.Factor
	}
	return min(machine.MostFactor, math.Ceil(2*max(1, c.Speed/leisure, c.provisioning, c.slowness(now, steady)))/2)
}

// slowness is how many times slower than a quiet machine this one was lately; it can be below 1.
func (c *Controller) slowness(now time.Time, length time.Duration) float64 {
	return machine.Between(c.samples, now.Add(-length), now).Load()
}
