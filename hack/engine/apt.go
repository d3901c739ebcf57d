package engine

import (
	"context"
	"fmt"
	"os/exec"

	"mesh-conformance/hack/apt"
	"mesh-conformance/hack/problem"
)

// aptRunner installs the engine's packages with apt-get.
type aptRunner struct {
	apt.Runner
	// unreachable are the sources that could not be read. Apt goes on with what it knew of
	// them before; where that lacks a package, they are the reason.
	unreachable string
}

// update reads the package sources.
func (a *aptRunner) update(ctx context.Context) error {
	said, err := a.Run(ctx, "update", "--quiet")
	if err != nil {
		return a.problem(ctx, err, said)
	}
	a.unreachable = apt.Lines(said, "W: Failed to fetch ")
	return nil
}

func (a *aptRunner) run(ctx context.Context, arguments ...string) error {
	said, err := a.Run(ctx, arguments...)
	if err != nil {
		return a.problem(ctx, err, said)
	}
	return nil
}

// runWhole is run for what an interrupt must not end half-way.
func (a *aptRunner) runWhole(ctx context.Context, arguments ...string) error {
	said, err := a.RunWhole(ctx, arguments...)
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
	what, why := "cannot install the container engine", apt.Lines(said, "E: ")
	if a.unreachable != "" {
		what, why = "cannot install the container engine: the system's package source is unreachable", a.unreachable
	}
	if why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	return problem.Environment(what, "apt-get",
		"check the package source, or install docker.io, iptables and iproute2 yourself", err)
}

// knows says whether the package source has a package.
func (a *aptRunner) knows(ctx context.Context, pkg string) bool {
	cache, err := findProgram("apt-cache")
	return err == nil && exec.CommandContext(ctx, cache, "show", "--quiet", pkg).Run() == nil
}
