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
	// askInterval is how often the engine's socket is connected to, and the engine asked for its version.
	askInterval = 10 * time.Second
	// silenceNote is how long an engine may not respond before a line says so.
	silenceNote = 40 * time.Second
	// refusalsOfFound is how many connections in a row an engine that was only found must refuse: whoever runs it may
	// restart it.
	refusalsOfFound = 3
)

// Watch sends one error when the engine dies while a run needs it. The channel is closed when the context ends. An
// engine that does not respond is no dead one: its process and its socket decide. log receives a line when the engine
// has not responded for a time, and a line when it responds again; nil drops them.
func (e *Engine) Watch(ctx context.Context, log func(format string, args ...any)) <-chan error {
	if log == nil {
		log = func(string, ...any) {}
	}
	died := make(chan error, 1)
	go func() {
		defer close(died)
		if err := e.watch(ctx, log); err != nil && ctx.Err() == nil {
			died <- e.death(err)
		}
	}()
	return died
}

// Gone returns why the engine counts as dead at this moment, or nil while its process and its socket are there. An
// engine that was only found may come back.
func (e *Engine) Gone(ctx context.Context) error {
	if e.Private {
		if _, runs := e.layout.daemon(); !runs {
			return errProcessEnded
		}
	}
	if at := e.endpoint(ctx); at.known() {
		return deadly(at.connect(ctx))
	}
	return nil
}

// watch returns why the engine counts as dead, or nil when the context ends.
func (e *Engine) watch(ctx context.Context, log func(string, ...any)) error {
	alive := func() error { return nil }
	judged := pulse{refusals: refusalsOfFound, responded: time.Now()}
	if e.Private {
		pid, runs := e.layout.daemon()
		if !runs {
			return errProcessEnded
		}
		alive = func() error { return e.layout.stillRuns(pid) }
		judged.refusals = 1
	}
	at := e.endpoint(ctx)
	// Where the address does not take connections from the start, it is not the one that the docker client uses.
	if !e.Private && at.known() && deadly(at.connect(ctx)) != nil {
		at = endpoint{}
	}
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	ask := time.NewTicker(askInterval)
	defer ask.Stop()
	// Questions take time on a slow engine, and its process may end meanwhile: they are asked beside. One at a time.
	seen := make(chan beat, 1)
	asking := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := alive(); err != nil {
				return err
			}
		case <-ask.C:
			if !asking {
				asking = true
				go func() { seen <- e.beat(ctx, at) }()
			}
		case b := <-seen:
			asking = false
			next, line, err := judged.judge(b)
			if line != "" {
				log("%s", line)
			}
			if err != nil {
				return err
			}
			judged = next
		}
	}
}

// beat is what one look at an engine saw.
type beat struct {
	at time.Time
	// refusal is why the engine's socket takes no connection, or nil where it does, however late.
	refusal error
	// responds says that the engine responded with its version.
	responds bool
}

// beat looks at the engine once.
func (e *Engine) beat(ctx context.Context, at endpoint) beat {
	if at.known() {
		if refusal := deadly(at.connect(ctx)); refusal != nil {
			return beat{at: time.Now(), refusal: refusal}
		}
	}
	_, err := ask(ctx, e.client, e.Environ())
	b := beat{at: time.Now(), responds: err == nil}
	if !at.known() && err != nil && !errors.Is(err, context.DeadlineExceeded) {
		// The socket is out of sight, for example behind ssh: then the client's own error is the refusal.
		b.refusal = err
	}
	return b
}

// pulse judges the beats of an engine.
type pulse struct {
	refusals  int // how many in a row are a death
	refused   int // how many there were in a row
	responded time.Time
	told      bool // a line about the silence was written
}

// judge returns the pulse after a beat, a line for the log or none, and why the engine counts as dead or nil.
func (p pulse) judge(b beat) (next pulse, line string, dead error) {
	if b.refusal == nil {
		p.refused = 0
	} else if p.refused++; p.refused >= p.refusals {
		return p, "", b.refusal
	}
	silence := b.at.Sub(p.responded).Round(time.Second)
	switch {
	case b.responds && p.told:
		line = fmt.Sprintf("the container engine responds again, after %s", silence)
		fallthrough
	case b.responds:
		p.responded, p.told = b.at, false
	case !p.told && silence >= silenceNote:
		line, p.told = fmt.Sprintf("the container engine has not responded for %s; the run goes on", silence), true
	}
	return p, line, nil
}

// death is the one line about an engine that is gone.
func (e *Engine) death(why error) error {
	if !e.Private {
		return problem.Environment("the container engine died during the run", e.address(), e.advice(), why)
	}
	return problem.Environment("the container engine died during the run", "log "+e.layout.log(),
		"run again: it is started anew", fmt.Errorf("%w: %s", why, complaints(e.layout.log())))
}
