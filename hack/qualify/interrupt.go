package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

const (
	// interruptGrace is how long an interrupted suite may take to remove its clusters.
	interruptGrace = 2 * time.Minute
	// tidyTime bounds what the driver itself removes after an interrupted run.
	tidyTime = time.Minute
)

// errInterrupted is the verdict of a run that was ended from outside: none.
func errInterrupted() error {
	return problem.Environment("interrupted: no verdict", "", "run the same command to go on", nil)
}

// causeOf gives why a context ended, an engine's death for example, in place of the errors that
// followed from it.
func causeOf(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, context.Canceled):
		return errInterrupted()
	default:
		return cause
	}
}

// guard makes the end of a context the end of a started suite, in a process group of its own. One
// SIGINT lets the suite remove its cluster: Ginkgo takes a second one as the order to skip that, which
// is why the terminal's signal must not reach it too. At a second Ctrl-C, or after the grace, the
// group is killed; the driver then removes what is left. The returned function ends the guard.
func guard(ctx context.Context, suite *exec.Cmd, grace time.Duration, say func(string)) (release func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	group := -suite.Process.Pid
	go func() {
		defer close(done)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(again)
		say(causeOf(ctx, nil).Error())
		say("the suite removes its cluster; a second Ctrl-C kills it")
		_ = syscall.Kill(group, syscall.SIGINT)
		select {
		case <-ended:
			return
		case <-again:
		case <-time.After(grace):
			say(fmt.Sprintf("the suite did not end within %s: killed", grace))
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
	}()
	return func() {
		close(ended)
		<-done
	}
}

// tidy removes what a run that was interrupted, or whose suite crashed, has left: its containers, also
// where they were to be kept, since specs ended in the middle of their work; and the engine, if it was
// this run that started it. A run that only built leaves alone what an earlier one kept. It says what it
// cannot remove: the next run, or qualify down, will.
func tidy(ctx context.Context, running *engine.Engine, options engine.Options, started time.Time, ran bool, say func(string, ...any)) {
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithTimeout(ctx, tidyTime)
	defer cancel()
	if err := running.Healthy(bounded); ran && err == nil {
		if err := sweepClusters(bounded, running, nil, say); err != nil {
			say("%v", err)
		}
	}
	if running.Private && startedSince(running.Host, started) {
		bounded, cancel := context.WithTimeout(ctx, tidyTime)
		defer cancel()
		if err := engine.Stop(bounded, options); err != nil {
			say("%v", err)
		}
	}
}

// startedSince says whether an engine's socket is younger than a moment.
func startedSince(host string, moment time.Time) bool {
	info, err := os.Stat(strings.TrimPrefix(host, "unix://"))
	return err == nil && info.ModTime().After(moment)
}

// noVerdict notes in a run's folder why it has none, for qualify report.
func noVerdict(dir string, why error) error {
	if err := os.WriteFile(filepath.Join(dir, kindconfig.EnvironmentFile), []byte(why.Error()+"\n"), 0o644); err != nil {
		return errors.Join(why, err)
	}
	return why
}
