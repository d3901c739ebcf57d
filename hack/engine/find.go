package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// askTimeout is the longest an engine may take to say its version: a socket that a hung
// engine still holds never answers.
const askTimeout = 15 * time.Second

// finding is what Ensure sees before it decides.
type finding struct {
	docker *Engine // a Docker that answers and is not the private engine
	// named is the engine the user asked for by DOCKER_HOST or DOCKER_CONTEXT; empty is the client's default.
	named string
	// failure is why no Docker answered.
	failure error
	// root and linux are what a private engine needs.
	root, linux bool
}

type decision int

const (
	useNothing decision = iota
	useDocker
	usePrivate
)

// choose decides between a Docker that answers and the private engine.
func choose(choice string, found finding) decision {
	private := useNothing
	if found.root && found.linux {
		private = usePrivate
	}
	switch {
	case choice == ChoicePrivate:
		return private
	case found.docker != nil:
		return useDocker
	case choice == ChoiceDocker:
		return useNothing
	case found.named != "":
		// Whoever names an engine that is down wants that engine, not a silent other one.
		return useNothing
	default:
		return private
	}
}

// problem says in one line why there is no engine and what to do.
func (f finding) problem(choice string) error {
	switch {
	case choice == ChoicePrivate && !f.linux:
		return problem.Environment("a private container engine runs on Linux only", runtime.GOOS,
			"start Docker and use --engine docker", nil)
	case choice == ChoicePrivate:
		return problem.Environment("only root can start a private container engine", "",
			"run as root, or start Docker and use --engine docker", nil)
	case errors.Is(f.failure, os.ErrPermission):
		return problem.Environment("a Docker runs here but this user may not use it", "",
			"join its group (usermod -aG docker USER, then log in again) or run as root", nil)
	case f.named != "":
		return problem.Environment("no container engine answers where the environment says", f.named,
			"start it, or unset the variable", f.failure)
	case choice == ChoiceDocker:
		return problem.Environment("no Docker answers", "", "start it, or use --engine private as root", f.failure)
	case !f.linux:
		return problem.Environment("no Docker answers", runtime.GOOS, "install and start Docker", f.failure)
	default:
		return problem.Environment("no Docker answers and only root can start a private engine", "",
			"install and start Docker (Debian, Ubuntu: apt-get install docker.io), or run as root", f.failure)
	}
}

// look asks the Docker that the environment names, or the client's default.
func look(ctx context.Context, at layout) finding {
	found := finding{root: os.Geteuid() == 0, linux: runtime.GOOS == "linux"}
	host := os.Getenv("DOCKER_HOST")
	if host == at.host() {
		// A shell in which the private engine's address was exported, to replay a spec.
		return found
	}
	switch {
	case os.Getenv("DOCKER_CONTEXT") != "":
		found.named = "DOCKER_CONTEXT=" + os.Getenv("DOCKER_CONTEXT")
	case host != "":
		found.named = "DOCKER_HOST=" + host
	}
	client, said, err := findClient(ctx, os.Environ(), at.bin())
	if err != nil {
		found.failure = err
		return found
	}
	found.docker = &Engine{Host: host, client: client}
	found.docker.take(said)
	return found
}

// findClient gives the first docker client of the search path, outside of one folder, that
// reaches the engine the environment names. A path may hold several, and not each talks to each engine.
func findClient(ctx context.Context, environ []string, outside string) (string, answer, error) {
	failure := fmt.Errorf("find a docker client: %w", exec.ErrNotFound)
	for _, client := range programs("docker") {
		if filepath.Dir(client) == outside {
			continue
		}
		said, err := ask(ctx, client, environ)
		if err == nil {
			return client, said, nil
		}
		failure = err
		if ctx.Err() != nil {
			break
		}
	}
	return "", answer{}, failure
}

// systemFolders hold the programs of an administrator; a user's search path may lack them.
var systemFolders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// programs are all executables of a name, in the order of the search path, each once.
func programs(name string) []string {
	var all []string
	seen := map[string]bool{}
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), systemFolders...) {
		path := filepath.Join(folder, name)
		if _, err := exec.LookPath(path); err != nil {
			continue
		}
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil || seen[resolved] {
			continue
		}
		seen[resolved] = true
		all = append(all, path)
	}
	return all
}

// answer is what an engine says of itself.
type answer struct{ version, arch, driver, dataRoot string }

func (e *Engine) take(said answer) {
	e.Version, e.Arch, e.Driver, e.DataRoot = said.version, said.arch, said.driver, said.dataRoot
}

// ask makes a client ask its engine. "docker info" succeeds without an engine, so its
// version is what proves that one is there.
func ask(ctx context.Context, client string, environ []string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	version, err := output(ctx, environ, client, "version", "--format", "{{.Server.Version}} {{.Server.Arch}}")
	if err != nil {
		return answer{}, err
	}
	info, err := output(ctx, environ, client, "info", "--format", "{{.Driver}}\n{{.DockerRootDir}}")
	if err != nil {
		return answer{}, err
	}
	said := answer{}
	said.version, said.arch, _ = strings.Cut(strings.TrimSpace(version), " ")
	said.driver, said.dataRoot, _ = strings.Cut(strings.TrimSpace(info), "\n")
	if said.version == "" || said.dataRoot == "" {
		return answer{}, fmt.Errorf("%s got no answer it understands from its engine", client)
	}
	return said, nil
}

// socketRefused is how a client says that it may not talk to an engine that is there; it may
// also be refused its own configuration, which means nothing.
var socketRefused = regexp.MustCompile(`(?i)permission denied while trying to connect|connect: permission denied`)

// output runs a command and gives its standard output; the error holds what it complained of.
func output(ctx context.Context, environ []string, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = environ
	command.WaitDelay = time.Second
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	if err == nil {
		return string(out), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	said := strings.TrimSpace(complaint.String())
	switch {
	case socketRefused.MatchString(said):
		return "", fmt.Errorf("%s: %w", said, os.ErrPermission)
	case said != "":
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(arguments, " "), err, said)
	default:
		return "", fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(arguments, " "), err)
	}
}
