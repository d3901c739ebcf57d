package gate

import (
	"testing"
	"time"

	"mesh-conformance/hack/machine"
)

var started = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// run feeds a controller seconds of a machine's state, and returns the last state.
func run(c *Controller, seconds int, like machine.Sample, holding, waiting int) State {
	var state State
	for range seconds {
		at := started
		if len(c.samples) > 0 {
			at = c.now()
		}
		like.At, like.Seconds = at.Add(time.Second), 1
		state = c.Next(like, holding, waiting)
	}
	return state
}

var (
	quiet   = machine.Sample{Runnable: 5, Late: 1}
	busy    = machine.Sample{Runnable: 130, Late: 8}
	halved  = machine.Sample{Runnable: 4, Late: 35}
	between = machine.Sample{Runnable: 28, Late: 4}
)

func TestTheWidthToBeginWith(t *testing.T) {
	cases := map[string]struct {
		during  machine.Sample
		seconds float64
		width   int
		factor  float64
	}{
		"quiet":                            {quiet, 20, 5, 1},
		"a little slower":                  {quiet, 30, 5, 1},
		"twice as slow":                    {quiet, 64, 1, 2},
		"provisioning took half as long":   {quiet, 48, 2, 1.5},
		"a quota of half a core":           {halved, 75, 1, 4},
		"many threads, provisioned before": {busy, -1, 1, 4.5},
		"quiet, provisioned before":        {quiet, -1, 5, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			controller := &Controller{Most: 5, Cores: 2}
			run(controller, 20, c.during, 0, 0)
			if got := controller.Begin(c.seconds); got != (State{Width: c.width, Factor: c.factor}) {
				t.Errorf("%+v, want width %d and factor %g", got, c.width, c.factor)
			}
		})
	}
}

func TestTheWidthFollowsTheMachine(t *testing.T) {
	c := &Controller{Most: 5, Cores: 2}
	run(c, 20, quiet, 0, 0)
	c.Begin(20)
	if got := run(c, 60, quiet, 5, 0); got.Width != 5 {
		t.Fatalf("a quiet machine's width is %d", got.Width)
	}
	if got := run(c, 11, busy, 5, 0); got.Width != 4 {
		t.Fatalf("a busy machine's width is %d after its first change, want 4", got.Width)
	}
	// Nobody is sent back, so that the number of holders follows later.
	if got := run(c, 11, busy, 4, 1); got.Width != 3 {
		t.Errorf("the width is %d after the second change, want 3", got.Width)
	}
	if got := run(c, 200, busy, 1, 4); got.Width != 3 {
		t.Errorf("the width is %d where one process runs specs already, want 3 as before", got.Width)
	}
	run(c, 61, between, 1, 2)
	if got := run(c, 60, between, 3, 2); got.Width != 3 {
		t.Errorf("the width is %d on a machine that is neither busy nor quiet, want 3 as before", got.Width)
	}
	if got := run(c, 180, quiet, 1, 0); got.Width != 3 {
		t.Errorf("the width grew to %d although no process waits", got.Width)
	}
	if got := run(c, 11, quiet, 3, 2); got.Width != 4 {
		t.Errorf("a quiet machine's width is %d, want 4", got.Width)
	}
	run(c, 61, busy, 1, 0)
	if got := run(c, 30, quiet, 4, 1); got.Width > 4 {
		t.Errorf("the width grew to %d after half a minute without load", got.Width)
	}
	if got := run(c, 100, quiet, 5, 1); got.Width != 5 {
		t.Errorf("the width is %d, want 5 at most", got.Width)
	}
}

func TestTheWidthToBeginWithFollowsTheCores(t *testing.T) {
	for cores, want := range map[int]int{1: 3, 2: 5, 4: 8, 16: 8} {
		c := &Controller{Most: 8, Cores: cores}
		run(c, 20, quiet, 0, 0)
		if got := c.Begin(20); got.Width != want {
			t.Errorf("with %d cores the width is %d, want %d", cores, got.Width, want)
		}
	}
}

func TestTheWidthIsAtLeastOne(t *testing.T) {
	c := &Controller{Most: 5, Cores: 2}
	run(c, 20, busy, 0, 0)
	c.Begin(1000)
	if got := run(c, 100, busy, 1, 4); got.Width != 1 {
		t.Errorf("the width is %d", got.Width)
	}
}

func TestTheFactorFollowsUnlessFixed(t *testing.T) {
	c := &Controller{Most: 5, Cores: 2}
	run(c, 20, quiet, 0, 0)
	c.Begin(20)
	if got := run(c, 30, busy, 1, 0); got.Factor < 4 {
		t.Errorf("the factor is %g on a machine with 130 threads per core", got.Factor)
	}
	if got := run(c, 60, quiet, 1, 0); got.Factor != 1 {
		t.Errorf("the factor is %g on a quiet machine", got.Factor)
	}
	c = &Controller{Most: 5, Cores: 2, Factor: 2}
	if got := run(c, 30, busy, 1, 0); got.Factor != 2 {
		t.Errorf("a fixed factor of 2 is %g", got.Factor)
	}
}
