package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"mesh-conformance/hack/engine/capability"
	"mesh-conformance/hack/problem"
)

const (
	// startTimeout is the longest the engine may take until it answers.
	startTimeout = 90 * time.Second
	// graceTimeout is how long a daemon that runs may stay silent before it counts as hung:
	// its starter may have been killed a moment after starting it.
	graceTimeout = 20 * time.Second
	// slowTimeout is how long it may stay silent while its socket takes connections: it may only be slow.
	slowTimeout = 3 * time.Minute
	// pollInterval is how often a daemon that starts or ends is looked at.
	pollInterval = 100 * time.Millisecond
)

// ensurePrivate reuses the private engine, or starts it. One that starts is empty but for
// images: the containers of one that was killed are of no use to anybody.
func ensurePrivate(ctx context.Context, options Options, at layout) (*Engine, error) {
	lock, err := at.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.release()

	if pid, runs := at.daemon(); runs {
		alive := func() error { return at.stillRuns(pid) }
		engine, err := at.wait(ctx, graceTimeout, alive)
		if err != nil && ctx.Err() == nil && alive() == nil && endpointOf(at.host()).connect(ctx) == nil {
			options.Log("the private engine has not responded for %s; waiting up to %s", graceTimeout, slowTimeout)
			engine, err = at.wait(ctx, slowTimeout, alive)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			options.Log("the private engine runs as process %d but does not answer; killing it", pid)
		case !at.intact():
			options.Log("the private engine runs but its data was deleted; starting it anew")
		default:
			options.Log("using the private engine at %s", engine.Host)
			return engine, engine.makeReady(ctx, options)
		}
	}
	if err := sweep(ctx, options, at); err != nil {
		return nil, err
	}
	if err := install(ctx, options); err != nil {
		return nil, err
	}
	engine, err := start(ctx, options, at)
	if err != nil {
		// A start that failed or was interrupted leaves nothing.
		if undo := stopPrivate(context.WithoutCancel(ctx), options, at); undo != nil {
			options.Log("cleaning up after the failed start: %v", undo)
		}
		return nil, err
	}
	options.Log("started a private engine (Docker %s, %s) at %s", engine.Version, engine.Driver, engine.Host)
	return engine, engine.makeReady(ctx, options)
}

// makeReady does what is left to do once a started daemon answers, and does it once: whoever
// started it may have been killed before.
func (e *Engine) makeReady(ctx context.Context, options Options) error {
	if err := linkClient(e.layout, e.client); err != nil {
		return err
	}
	if err := raiseWatchers(watcherLimit, e.layout.noteWatchers); err != nil {
		return err
	}
	if _, err := os.Stat(e.layout.readyFile()); err == nil {
		return nil
	}
	if err := os.Chmod(e.layout.socket(), 0o600); err != nil {
		return fmt.Errorf("keep the engine's socket private: %w", err)
	}
	e.empty(ctx, options)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := os.WriteFile(e.layout.readyFile(), nil, 0o600); err != nil {
		return fmt.Errorf("note that the engine is ready: %w", err)
	}
	return nil
}

// start prepares the machine and starts the daemon.
func start(ctx context.Context, options Options, at layout) (*Engine, error) {
	for folder, mode := range map[string]fs.FileMode{at.data(): 0o711, at.bin(): 0o755, at.run(): 0o700} {
		if err := os.MkdirAll(folder, mode); err != nil {
			return nil, problem.Environment("cannot make a folder of the private engine", folder, "", err)
		}
	}
	if err := recordBefore(at); err != nil {
		return nil, err
	}
	pool, err := choosePool(ctx, at)
	if err != nil {
		return nil, err
	}
	runtime, err := buildShim(ctx, options, at)
	if err != nil {
		return nil, err
	}
	if err := makeBridge(ctx, at, pool); err != nil {
		return nil, err
	}
	limit, err := openFiles()
	if err != nil {
		return nil, err
	}
	if err := writeConfig(at, settings{pool: pool, shim: runtime, openFiles: limit}); err != nil {
		return nil, err
	}
	exited, err := launch(at)
	if err != nil {
		return nil, err
	}
	engine, err := at.wait(ctx, startTimeout, func() error {
		select {
		case err := <-exited:
			return fmt.Errorf("it ended at once (%w)", err)
		default:
			return nil
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, problem.Environment("the private container engine does not start", "log "+at.log(), "",
			fmt.Errorf("%w: %s", err, complaints(at.log())))
	}
	return engine, nil
}

// wait asks the daemon until it answers; alive says why waiting has become pointless.
func (l layout) wait(ctx context.Context, most time.Duration, alive func() error) (*Engine, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("no answer for %s", most))
	defer cancel()
	engine := &Engine{Host: l.host(), Private: true, layout: l}
	failure := errors.New("its socket is not there")
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if err := alive(); err != nil {
			return nil, err
		}
		// Asking costs a process each time; the socket's file costs nothing.
		if _, err := os.Stat(l.socket()); err == nil {
			client, said, err := findClient(ctx, engine.Environ(), l.bin())
			if err == nil {
				engine.client = client
				engine.take(said)
				return engine, nil
			}
			failure = err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; the last try: %w", context.Cause(ctx), failure)
		case <-poll.C:
		}
	}
}

// linkClient puts the client that works first on the path that Environ gives.
func linkClient(at layout, client string) error {
	link := filepath.Join(at.bin(), "docker")
	if now, err := os.Readlink(link); err == nil && now == client {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace the link to the docker client: %w", err)
	}
	if err := os.Symlink(client, link); err != nil {
		return fmt.Errorf("link the docker client: %w", err)
	}
	return nil
}

// openFiles is the most open files a process here can have: the limit containers get,
// since the usual 1024 is too few for a cluster in one container.
func openFiles() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return min(limit.Max, 1<<20), nil
}

// buildShim builds the runtime shim where capabilities are missing, and nowhere else. It
// gives the shim's path, or nothing.
func buildShim(ctx context.Context, options Options, at layout) (string, error) {
	missing, err := capability.Missing()
	if err != nil {
		return "", err
	}
	if len(missing) == 0 {
		return "", nil
	}
	shim := filepath.Join(at.bin(), "capshim")
	options.Log("this machine lacks %s; privileged containers do without", missing)
	return shim, compileShim(ctx, options.Source, shim)
}
