package images

import (
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"

	"mesh-conformance/hack/apt"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Programs that builds run besides Go. Published images need none of them.
var (
	mmdebstrap = apt.Tool{Program: "mmdebstrap", Package: "mmdebstrap"}
	pip        = apt.Tool{Program: "pip3", Package: "python3-pip"}
)

// Tools returns the programs that the machine lacks and that building what these cells lack in the cache needs, so
// that they can be installed before the first build. Options need Repository, Cache and the sources. A cell that cannot be
// planned has no tools here: Cell returns why.
func Tools(
	ctx context.Context, versions *kindconfig.Versions, cells []kindconfig.Kubernetes, subject kindconfig.Subject, options Options,
) []apt.Tool {
	b, err := newBuilder(ctx, noEngine{}, versions, options)
	if err != nil {
		return nil
	}
	var missing []apt.Tool
	for _, kubernetes := range cells {
		planner := b.planner(ctx)
		planner.offline = true
		p, err := newPlan(planner, kubernetes, subject)
		if err != nil {
			continue
		}
		for _, a := range b.store.lacking(ctx, p.wanted()) {
			if tool, has := p.tools[a]; has && !slices.Contains(missing, tool) && !present(ctx, tool) {
				missing = append(missing, tool)
			}
		}
	}
	return missing
}

// InstallTools installs, in one call of apt-get, the tools that the machine lacks. The error says what a user who may
// not install packages has to do.
func InstallTools(ctx context.Context, tools []apt.Tool, log func(format string, args ...any)) error {
	return installTools(ctx, io.Discard, log, tools...)
}

// ensureTool installs a tool that is missing. It is for the machine that lost one after the run began.
func (b *Builder) ensureTool(ctx context.Context, log io.Writer, tool apt.Tool) error {
	b.apt.Lock()
	defer b.apt.Unlock()
	return installTools(ctx, log, b.options.Log, tool)
}

// installTools writes what apt-get prints to output.
func installTools(
	ctx context.Context, output io.Writer, log func(format string, args ...any), tools ...apt.Tool,
) error {
	tools = slices.DeleteFunc(slices.Clone(tools), func(tool apt.Tool) bool { return present(ctx, tool) })
	if len(tools) == 0 {
		return nil
	}
	var programs, packages []string
	for _, tool := range tools {
		programs, packages = append(programs, tool.Program), append(packages, tool.Package)
	}
	if !apt.Installable() {
		verb, noun := " is missing", "install the package "
		if len(tools) > 1 {
			verb, noun = " are missing", "install the packages "
		}
		return problem.Environment(strings.Join(programs, ", ")+verb, "PATH", noun+strings.Join(packages, ", "), nil)
	}
	runner := apt.Runner{Log: log}
	if log != nil {
		log("installing %s from the system's package source", strings.Join(packages, ", "))
	}
	install := append([]string{"install", "--yes", "--quiet", "--no-install-recommends"}, packages...)
	for _, args := range [][]string{{"update", "--quiet"}, install} {
		said, err := runner.Run(ctx, args...)
		_, _ = io.WriteString(output, said)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		where := firstLine(said, "Failed to fetch", "E: ")
		if where == "" {
			where = "apt-get"
		}
		return problem.Environment("cannot install "+strings.Join(packages, ", "), where,
			"check that Debian's packages can be reached and run again", err)
	}
	return nil
}

// present reports whether a tool can be run.
func present(ctx context.Context, tool apt.Tool) bool {
	if tool == pip {
		return pipCommand(ctx) != nil
	}
	_, err := exec.LookPath(tool.Program)
	return err == nil
}

// pipCommand returns the command that runs pip here, or nil.
func pipCommand(ctx context.Context) []string {
	for _, candidate := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
		if exec.CommandContext(ctx, candidate[0], append(candidate[1:], "--version")...).Run() == nil {
			return candidate
		}
	}
	return nil
}

// noEngine stands for the engine before there is one: it has no image.
type noEngine struct{}

func (noEngine) Docker(ctx context.Context, _ ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "false")
}
