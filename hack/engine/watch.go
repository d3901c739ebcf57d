package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mesh-conformance/hack/problem"
)

const (
	// watchInterval is how often a private engine's process is looked for.
	watchInterval = 500 * time.Millisecond
	// askInterval is how often an engine is asked whether it still answers.
	askInterval = 10 * time.Second
	// askAttempts is how many questions in a row must stay without an answer: a machine that
	// is busy creating a cluster may miss one.
	askAttempts = 3
)

// Watch gives one error when the engine dies or stops answering while a run needs it. The
// channel is closed when the context ends.
func (e *Engine) Watch(ctx context.Context) <-chan error {
	died := make(chan error, 1)
	go func() {
		defer close(died)
		if err := e.watch(ctx); err != nil && ctx.Err() == nil {
			died <- err
		}
	}()
	return died
}

func (e *Engine) watch(ctx context.Context) error {
	alive := func() error { return nil }
	if e.Private {
		pid, runs := e.layout.daemon()
		if !runs {
			return e.death(errors.New("its process has ended"))
		}
		alive = func() error { return e.layout.stillRuns(pid) }
	}
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	ask := time.NewTicker(askInterval)
	defer ask.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := alive(); err != nil {
				return e.death(err)
			}
		case <-ask.C:
			err := e.Healthy(ctx)
			if err == nil {
				missed = 0
				continue
			}
			if missed++; missed == askAttempts {
				return e.death(fmt.Errorf("no answer to %d questions: %w", missed, errors.Unwrap(err)))
			}
		}
	}
}

// death is the one line about an engine that is gone.
func (e *Engine) death(why error) error {
	if !e.Private {
		return problem.Environment("the container engine died during the run", e.address(), e.advice(), why)
	}
	return problem.Environment("the container engine died during the run", "log "+e.layout.log(),
		"run again: it is started anew", fmt.Errorf("%w: %s", why, complaints(e.layout.log())))
}
