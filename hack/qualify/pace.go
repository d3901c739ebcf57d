package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"mesh-conformance/hack/gate"
	"mesh-conformance/hack/machine"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// pace lets a suite do as much at once as the machine carries: it measures the machine, writes that down, and sets
// the gate.
type pace struct {
	gate     *gate.Gate
	recorder *machine.Recorder
	say      func(format string, args ...any)

	mutex      sync.Mutex
	controller gate.Controller
	shown      gate.State
	failed     error

	stop context.CancelFunc
	done chan struct{}
}

// startPace opens the gate of a job, enters its address there and measures until end is called. speed is what
// machine.Speed returned.
func startPace(
	ctx context.Context, job *kindconfig.Job, meter machine.Meter, factor, speed float64, say func(string, ...any),
) (*pace, error) {
	p := &pace{
		say: say, shown: gate.State{Width: job.Procs, Factor: 1}, done: make(chan struct{}),
		controller: gate.Controller{Most: job.Procs, Cores: runtime.NumCPU(), Factor: factor, Speed: speed},
	}
	recorder, err := machine.NewRecorder(job.Path(kindconfig.MachineFile))
	if err != nil {
		return nil, problem.Environment("cannot write", job.Path(kindconfig.MachineFile),
			"make it writable or set --output", err)
	}
	p.recorder = recorder
	if p.gate, err = gate.Listen(gate.State{Width: job.Procs, Factor: 1}, p.begin); err != nil {
		return nil, errors.Join(recorder.Close(),
			problem.Environment("cannot open the gate between driver and suite", "", "make TMPDIR writable", err))
	}
	job.Gate = p.gate.Address()
	ctx, p.stop = context.WithCancel(ctx)
	go func() {
		defer close(p.done)
		meter.Measure(ctx, p.take)
	}()
	return p, nil
}

// end stops measuring and closes the gate.
func (p *pace) end() error {
	p.stop()
	<-p.done
	return errors.Join(p.failed, p.gate.Close(), p.recorder.Close())
}

// begin is called when the shared cluster is ready.
func (p *pace) begin(seconds float64) gate.State {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	state := p.controller.Begin(seconds)
	if state.Width < p.controller.Most || state.Factor > 1 {
		recent := p.controller.Recent()
		p.say("%s: this machine has %d cores, %.0f threads per core run or wait for a core, a timer fires %.0f ms late, "+
			"and %s", described(state), p.controller.Cores, recent.Runnable, recent.Late, provisioningWords(seconds))
	}
	p.shown = state
	return state
}

// provisioningWords says how long provisioning took; a negative number of seconds is that of a kept cluster.
func provisioningWords(seconds float64) string {
	if seconds < 0 {
		return "the cluster was kept by an earlier run"
	}
	return fmt.Sprintf("provisioning took %.0f s (usual: %.0f s)", seconds, gate.UsualProvisioning.Seconds())
}

// muchLonger is by how much time limits grow until the user is told again.
const muchLonger = 1.5

// take takes a sample in.
func (p *pace) take(sample machine.Sample) {
	before, holding, waiting := p.gate.Counts()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	state := p.controller.Next(sample, holding, waiting)
	if state != before {
		p.gate.Set(state)
	}
	sample.Width, sample.Factor, sample.Holding, sample.Waiting = state.Width, state.Factor, holding, waiting
	if err := p.recorder.Add(sample); err != nil && p.failed == nil {
		p.failed = problem.Environment("cannot record what is measured of the machine", "", "free some disk space", err)
	}
	if state.Width < p.shown.Width || state.Factor >= muchLonger*p.shown.Factor {
		p.say("%s: %.0f threads per core run or wait for a core, and a timer fires %.0f ms late", described(state),
			p.controller.Recent().Runnable, p.controller.Recent().Late)
		p.shown = state
	}
	p.shown.Width = state.Width
}

func described(state gate.State) string {
	processes := "1 process runs specs"
	if state.Width > 1 {
		processes = fmt.Sprintf("at most %d processes run specs at once", state.Width)
	}
	return fmt.Sprintf("%s, and time limits are %.1f times as long", processes, state.Factor)
}
