package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"mesh-conformance/hack/problem"
)

// aptRunner calls apt-get.
type aptRunner struct {
	// unreachable are the sources that could not be read. Apt goes on with what it knew of
	// them before; where that lacks a package, they are the reason.
	unreachable string
}

// aptStop is how long apt may take to end in order when interrupted.
const aptStop = 10 * time.Second

// update reads the package sources.
func (a *aptRunner) update(ctx context.Context) error {
	said, err := a.call(ctx, "update", "--quiet")
	if err != nil {
		return a.problem(ctx, err, said)
	}
	a.unreachable = aptLines(said, "W: Failed to fetch ")
	return nil
}

func (a *aptRunner) run(ctx context.Context, arguments ...string) error {
	said, err := a.call(ctx, arguments...)
	if err != nil {
		return a.problem(ctx, err, said)
	}
	return nil
}

// problem is the one line about apt's failure.
func (a *aptRunner) problem(ctx context.Context, err error, said string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	what, why := "cannot install the container engine", aptLines(said, "E: ")
	if a.unreachable != "" {
		what, why = "cannot install the container engine: the system's package source is unreachable", a.unreachable
	}
	return problem.Environment(what, "apt-get",
		"check the package source, or install docker.io, iptables and iproute2 yourself", fmt.Errorf("%w: %s", err, why))
}

func (a *aptRunner) call(ctx context.Context, arguments ...string) (string, error) {
	aptGet, err := findProgram("apt-get")
	if err != nil {
		return "", err
	}
	arguments = append([]string{"--option", "DPkg::Lock::Timeout=120", "--option", "Acquire::Retries=3"}, arguments...)
	command := exec.CommandContext(ctx, aptGet, arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "NEEDRESTART_MODE=l")
	// Out of the terminal's process group: Ctrl-C reaches apt through the context only.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = aptStop
	said, err := command.CombinedOutput()
	return string(said), err
}

// knows says whether the package source has a package.
func (a *aptRunner) knows(ctx context.Context, pkg string) bool {
	cache, err := findProgram("apt-cache")
	return err == nil && exec.CommandContext(ctx, cache, "show", "--quiet", pkg).Run() == nil
}

// aptLines are the first lines of apt's output that begin with a prefix, without it, each once.
func aptLines(said, prefix string) string {
	var found []string
	for line := range strings.Lines(said) {
		if what, begins := strings.CutPrefix(strings.TrimSpace(line), prefix); begins && !slices.Contains(found, what) {
			found = append(found, what)
		}
	}
	return strings.Join(found[:min(2, len(found))], " | ")
}
