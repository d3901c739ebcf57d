package main

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"mesh-conformance/hack/engine"
	"mesh-conformance/kindconfig"
)

const (
	// comebackTime is how long a Docker that was only found may take to come back: whoever runs it may restart it.
	comebackTime = 2 * time.Minute
	// comebackPoll is how often it is looked at meanwhile.
	comebackPoll = time.Second
	// noticeTime is how long the watch may take to tell that an engine died which a failed build finds dead.
	noticeTime = time.Minute
)

// engines holds the engine that cells and builds use, and starts another when it has died.
type engines struct {
	ensure func(ctx context.Context) (*engine.Engine, error)
	watch  func(ctx context.Context, running *engine.Engine) <-chan error
	// gone returns why an engine counts as dead at this moment, or nil.
	gone func(ctx context.Context, running *engine.Engine) error
	say  func(format string, args ...any)
	// until is the context of everything on this machine; each engine's own ends with it.
	until context.Context

	starting sync.Mutex // held while an engine is started
	building sync.Mutex // held while a cell is built

	mu      sync.Mutex // guards what follows
	running *engine.Engine
	life    context.Context
}

// newEngines returns engines that start those of the options.
func newEngines(until context.Context, options engine.Options, say func(string, ...any)) *engines {
	return &engines{
		ensure: func(ctx context.Context) (*engine.Engine, error) { return engine.Ensure(ctx, options) },
		watch: func(ctx context.Context, running *engine.Engine) <-chan error {
			return running.Watch(ctx, say)
		},
		gone: func(ctx context.Context, running *engine.Engine) error { return running.Gone(ctx) },
		say:  say, until: until,
	}
}

// current returns the engine that runs, or ran last, and the context of its life, both nil before the first.
func (e *engines) current() (*engine.Engine, context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running, e.life
}

// Docker prepares a docker command that talks to the engine that runs.
func (e *engines) Docker(ctx context.Context, args ...string) *exec.Cmd {
	running, _ := e.current()
	return running.Docker(ctx, args...)
}

// alive returns the engine that runs and a context that ends when it dies, with the death as its cause. Where the last
// engine has died, it starts another.
func (e *engines) alive(ctx context.Context) (*engine.Engine, context.Context, error) {
	e.starting.Lock()
	defer e.starting.Unlock()
	before, life := e.current()
	if before != nil && life.Err() == nil {
		return before, life, nil
	}
	if e.until.Err() != nil {
		return nil, nil, causeOf(e.until, nil)
	}
	if before != nil && !before.Private {
		e.awaitComeback(ctx, before)
	}
	running, err := e.ensure(ctx)
	if err != nil {
		return nil, nil, err
	}
	life, died := context.WithCancelCause(e.until)
	e.mu.Lock()
	e.running, e.life = running, life
	e.mu.Unlock()
	watched := e.watch(life, running)
	go func() {
		for why := range watched {
			died(why)
		}
	}()
	return running, life, nil
}

// awaitComeback returns when a Docker that was only found takes connections again, or the time for that is over.
func (e *engines) awaitComeback(ctx context.Context, before *engine.Engine) {
	if e.gone(ctx, before) == nil {
		return
	}
	e.say("waiting up to %s until the container engine is back", comebackTime)
	ctx, cancel := context.WithTimeout(ctx, comebackTime)
	defer cancel()
	poll := time.NewTicker(comebackPoll)
	defer poll.Stop()
	for ctx.Err() == nil && e.gone(ctx, before) != nil {
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}

// cellBuilder is the part of images.Builder that makes cells.
type cellBuilder interface {
	Cell(context.Context, kindconfig.Kubernetes, kindconfig.Subject) (*kindconfig.Cell, error)
	CellAgain(context.Context, kindconfig.Kubernetes, kindconfig.Subject) (*kindconfig.Cell, error)
}

// build builds a cell with the engine that runs, one cell at a time. A build that fails because the engine has died is
// tried once more with the next engine. Without an engine no build begins.
func (e *engines) build(
	ctx context.Context, builder cellBuilder, kubernetes kindconfig.Kubernetes, subject kindconfig.Subject,
) (*kindconfig.Cell, error) {
	e.building.Lock()
	defer e.building.Unlock()
	running, life, err := e.alive(ctx)
	if err != nil {
		return nil, err
	}
	cell, err := builder.Cell(ctx, kubernetes, subject)
	if err == nil || ctx.Err() != nil || !e.hasDied(ctx, running, life) {
		return cell, err
	}
	e.say("the container engine died while Kubernetes %s was built (%v): the next one builds what is missing",
		kubernetes.Version, err)
	if _, _, err := e.alive(ctx); err != nil {
		return nil, err
	}
	return builder.CellAgain(ctx, kubernetes, subject)
}

// hasDied reports whether the engine's life is over. An engine that is found dead is given the time to be noticed.
func (e *engines) hasDied(ctx context.Context, running *engine.Engine, life context.Context) bool {
	if life.Err() == nil && e.gone(ctx, running) != nil {
		select {
		case <-life.Done():
		case <-ctx.Done():
		case <-time.After(noticeTime):
		}
	}
	return life.Err() != nil && ctx.Err() == nil
}

// part holds the steps that runOn takes to run a cell on a container engine.
type part struct {
	// has reports whether the engine that runs has the cell's node image; remake makes it.
	has    func(context.Context, *kindconfig.Cell) bool
	remake func(context.Context) (*kindconfig.Cell, error)
	// run runs the cell.
	run func(context.Context, *engine.Engine, *kindconfig.Cell) error
}

// runOn runs a cell on the engine that runs, in a context of its own that ends when the engine dies. Where the last
// engine has died, it starts another, which may lack the node image.
func (e *engines) runOn(ctx context.Context, cell *kindconfig.Cell, do part) error {
	if _, _, err := e.alive(ctx); err != nil {
		return err
	}
	if !do.has(ctx, cell) {
		if ctx.Err() != nil {
			return causeOf(ctx, nil)
		}
		e.say("the container engine lacks the node image of Kubernetes %s: making it again", cell.Kubernetes)
		made, err := do.remake(ctx)
		if err != nil {
			return fmt.Errorf("make the node image again: %w", err)
		}
		cell = made
	}
	running, life, err := e.alive(ctx)
	if err != nil {
		return err
	}
	own, end := context.WithCancel(life)
	defer end()
	return do.run(own, running, cell)
}
