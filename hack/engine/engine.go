// Package engine finds the container engine that clusters run in, or, where there is none,
// installs Debian's and runs it privately: with its own data, socket, bridge and control
// groups, as no service of the system, and gone without a trace after Stop.
package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// The choices of Options.
const (
	// ChoiceAuto uses a Docker that answers, and a private engine where none does.
	ChoiceAuto = "auto"
	// ChoiceDocker uses a Docker that answers, or fails.
	ChoiceDocker = "docker"
	// ChoicePrivate uses the private engine even where a Docker answers.
	ChoicePrivate = "private"
)

// Options say which engine to use and where a private one lives.
type Options struct {
	// StateDir is the private engine's home: images, logs, the programs built for it.
	StateDir string
	// Choice is one of the Choice constants; empty means ChoiceAuto.
	Choice string
	// Source is a folder inside this repository, where the runtime shim is built from; empty
	// means the working directory.
	Source string
	// Packages are Debian packages that the caller needs besides: where Ensure installs the engine, it installs them
	// in the same call of apt-get, and where it does not, it leaves them alone.
	Packages []string
	// Log receives one line per thing worth telling; nil drops them.
	Log func(format string, args ...any)
}

// Engine is a container engine that answered.
type Engine struct {
	// Host is the engine's address as DOCKER_HOST wants it; empty is the client's own default.
	Host string
	// Private says that Ensure runs this engine, and Stop ends it.
	Private bool
	// Version, Arch, Driver and DataRoot are what the engine says of itself. Arch is Go's
	// name of it; DataRoot is a path of the engine's machine.
	Version, Arch, Driver, DataRoot string

	client string // the docker command line client that talks to it
	layout layout // only of a private engine
}

// Ensure gives an engine that answers. It uses a Docker that is there; otherwise it reuses,
// revives or starts the private engine, installing what that needs. It may be called by
// several processes at once: they get the same engine.
func Ensure(ctx context.Context, options Options) (*Engine, error) {
	options, at, err := options.complete()
	if err != nil {
		return nil, err
	}
	found := look(ctx, at)
	switch choose(options.Choice, found) {
	case useDocker:
		options.Log("using Docker %s at %s", found.docker.Version, found.docker.address())
		if remark := fewWatchers(watcherLimit); remark != "" {
			options.Log("%s", remark)
		}
		return found.docker, nil
	case usePrivate:
		return ensurePrivate(ctx, options, at)
	default:
		return nil, found.problem(options.Choice)
	}
}

// Stop ends the private engine of a state directory and removes what it put into the
// machine, whether it runs, hangs or was killed. The state directory stays: it holds the
// images. A Docker that Ensure only found is left alone.
func Stop(ctx context.Context, options Options) error {
	options, at, err := options.complete()
	if err != nil {
		return err
	}
	if !at.exists() {
		return nil
	}
	if os.Geteuid() != 0 {
		return problem.Environment("only root can stop the private container engine", at.host(), "run as root", nil)
	}
	lock, err := at.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	return stopPrivate(ctx, options, at)
}

// complete fills what the caller left empty and checks the rest.
func (o Options) complete() (Options, layout, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	switch o.Choice {
	case "":
		o.Choice = ChoiceAuto
	case ChoiceAuto, ChoiceDocker, ChoicePrivate:
	default:
		return o, layout{}, problem.Usage(fmt.Sprintf("unknown container engine %q", o.Choice), "",
			"use auto, docker or private")
	}
	if o.StateDir == "" {
		return o, layout{}, problem.Usage("the container engine has no state directory", "", "name one")
	}
	home, err := filepath.Abs(o.StateDir)
	if err != nil {
		return o, layout{}, fmt.Errorf("resolve the engine's state directory: %w", err)
	}
	// The same home by another name must not get a second engine over the same data.
	if resolved, err := filepath.EvalSymlinks(home); err == nil {
		home = resolved
	}
	o.StateDir = home
	return o, layoutOf(home), nil
}

// Docker is a call of the docker client that talks to this engine.
func (e *Engine) Docker(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, e.client, args...)
	command.Env = e.Environ()
	return command
}

// Environ is this process's environment, changed so that whatever calls "docker" by name,
// as kind does, reaches this engine.
func (e *Engine) Environ() []string {
	return e.environ(os.Environ())
}

func (e *Engine) environ(inherited []string) []string {
	if !e.Private {
		return inherited
	}
	kept := make([]string, 0, len(inherited)+2)
	path := ""
	for _, variable := range inherited {
		name, value, _ := strings.Cut(variable, "=")
		switch name {
		case "PATH":
			path = value
		case "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION":
			// Each of these would lead the client elsewhere.
		default:
			kept = append(kept, variable)
		}
	}
	return append(kept, "PATH="+prependPath(e.layout.bin(), path), "DOCKER_HOST="+e.Host)
}

// prependPath puts a folder in front of a search path, once.
func prependPath(folder, path string) string {
	folders := []string{folder}
	for _, other := range filepath.SplitList(path) {
		if other != folder {
			folders = append(folders, other)
		}
	}
	return strings.Join(folders, string(filepath.ListSeparator))
}

// CgroupOf is what Cgroup returns of the private engine of these options, whether it runs or not.
func CgroupOf(options Options) (string, error) {
	_, at, err := options.complete()
	if err != nil {
		return "", err
	}
	return at.cgroup(), nil
}

// Cgroup is the path, below the root of a hierarchy of control groups, of the group that holds the containers of a
// private engine; empty for an engine that was only found.
func (e *Engine) Cgroup() string {
	if !e.Private {
		return ""
	}
	return e.layout.cgroup()
}

// Processes returns the ids of the processes that a private engine consists of, its containers left out; none for an
// engine that was only found.
func (e *Engine) Processes() []int {
	if !e.Private {
		return nil
	}
	return e.layout.processes(procRoot, slices.Concat(daemonPrograms, helperPrograms))
}

// Healthy asks the engine for its version.
func (e *Engine) Healthy(ctx context.Context) error {
	if _, err := ask(ctx, e.client, e.Environ()); err != nil {
		return problem.Environment("the container engine does not answer", e.address(), e.advice(), err)
	}
	return nil
}

// address names the engine for a reader.
func (e *Engine) address() string {
	if e.Host == "" {
		return "the docker client's default"
	}
	return e.Host
}

// advice says where to look when the engine fails.
func (e *Engine) advice() string {
	if e.Private {
		return "its log is " + e.layout.log()
	}
	return "start it again"
}
