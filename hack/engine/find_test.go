package engine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestChoose(t *testing.T) {
	docker := &Engine{}
	cases := map[string]struct {
		choice string
		found  finding
		want   decision
	}{
		"auto, a Docker answers":                  {ChoiceAuto, finding{docker: docker, root: true, linux: true}, useDocker},
		"auto, a Docker answers a user":           {ChoiceAuto, finding{docker: docker, linux: true}, useDocker},
		"auto, a Docker answers elsewhere":        {ChoiceAuto, finding{docker: docker, named: "DOCKER_HOST=x", linux: true}, useDocker},
		"auto, none answers root":                 {ChoiceAuto, finding{root: true, linux: true}, usePrivate},
		"auto, none answers a user":               {ChoiceAuto, finding{linux: true}, useNothing},
		"auto, none answers root elsewhere":       {ChoiceAuto, finding{root: true}, useNothing},
		"auto, the named one is down":             {ChoiceAuto, finding{named: "DOCKER_HOST=x", root: true, linux: true}, useNothing},
		"docker, one answers":                     {ChoiceDocker, finding{docker: docker}, useDocker},
		"docker, none answers root":               {ChoiceDocker, finding{root: true, linux: true}, useNothing},
		"private, though one answers":             {ChoicePrivate, finding{docker: docker, root: true, linux: true}, usePrivate},
		"private, though the environment differs": {ChoicePrivate, finding{named: "DOCKER_HOST=x", root: true, linux: true}, usePrivate},
		"private for a user":                      {ChoicePrivate, finding{docker: docker, linux: true}, useNothing},
		"private elsewhere":                       {ChoicePrivate, finding{docker: docker, root: true}, useNothing},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := choose(c.choice, c.found); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestNoEngineIsOneClearLine(t *testing.T) {
	down := errors.New("cannot connect\nto the daemon")
	cases := map[string]struct {
		choice string
		found  finding
		want   string
	}{
		"a user": {ChoiceAuto, finding{linux: true, failure: down}, "apt-get install docker.io"},
		"a user outside of the group": {ChoiceAuto, finding{linux: true, failure: errors.Join(down, os.ErrPermission)},
			"usermod -aG docker"},
		"the named one is down": {ChoiceAuto, finding{linux: true, root: true, named: "DOCKER_HOST=tcp://x", failure: down}, "DOCKER_HOST=tcp://x"},
		"the named one refuses": {ChoiceAuto, finding{linux: true, named: "DOCKER_HOST=unix:///x", failure: os.ErrPermission}, "usermod -aG docker"},
		"docker is wanted":      {ChoiceDocker, finding{linux: true, root: true, failure: down}, "--engine private"},
		"private for a user":    {ChoicePrivate, finding{linux: true}, "run as root"},
		"private elsewhere":     {ChoicePrivate, finding{root: true}, "Linux only"},
		"elsewhere":             {ChoiceAuto, finding{failure: down}, "install and start Docker"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.found.problem(c.choice)
			if line := err.Error(); !strings.Contains(line, c.want) || strings.Contains(line, "\n") {
				t.Errorf("%q is not one line with %q", line, c.want)
			}
			if code := problem.ExitCode(err); code != problem.ExitEnvironment {
				t.Errorf("exit code %d, want %d", code, problem.ExitEnvironment)
			}
		})
	}
}

// fakeClient writes a docker client that runs a script, and gives its folder.
func fakeClient(t *testing.T, script string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// answering is a client whose engine runs.
const answering = `case "$1" in
version) echo "99.1 amd64" ;;
info) printf 'overlay2\n/var/lib/fake\n' ;;
*) echo "host=$DOCKER_HOST" ;;
esac
`

func searchPath(t *testing.T, folders ...string) {
	t.Helper()
	folders = append(folders, os.Getenv("PATH"))
	t.Setenv("PATH", strings.Join(folders, string(filepath.ListSeparator)))
}

func TestEnsureTakesADockerThatAnswersByTheClientThatReachesIt(t *testing.T) {
	searchPath(t, fakeClient(t, "echo too old >&2; exit 1\n"), fakeClient(t, answering))
	t.Setenv("DOCKER_HOST", "tcp://203.0.113.1:2375")
	engine, err := Ensure(t.Context(), Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if engine.Private || engine.Host != "tcp://203.0.113.1:2375" || engine.Version != "99.1" || engine.Arch != "amd64" ||
		engine.Driver != "overlay2" || engine.DataRoot != "/var/lib/fake" {
		t.Errorf("got %+v", engine)
	}
	said, err := engine.Docker(t.Context(), "ps").Output()
	if err != nil || string(said) != "host=tcp://203.0.113.1:2375\n" {
		t.Errorf("the client says %q, %v", said, err)
	}
	if err := engine.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEnsureRefusesWhatItCannotUse(t *testing.T) {
	socket := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	cases := map[string]struct {
		options Options
		code    int
		want    string
	}{
		"an unknown choice":  {Options{StateDir: t.TempDir(), Choice: "podman"}, problem.ExitUsage, "podman"},
		"no state directory": {Options{}, problem.ExitUsage, "state directory"},
		"an engine that is down": {Options{StateDir: t.TempDir()}, problem.ExitEnvironment,
			"DOCKER_HOST=" + socket},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", socket)
			_, err := Ensure(t.Context(), c.options)
			if err == nil || problem.ExitCode(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v with code %d, want one with %q and code %d", err, problem.ExitCode(err), c.want, c.code)
			}
		})
	}
}

func TestStopOfWhatNeverRanDoesNothing(t *testing.T) {
	home := filepath.Join(t.TempDir(), "engine")
	if err := Stop(t.Context(), Options{StateDir: home}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("it made a state directory")
	}
}

func TestOutputTellsWhatWasComplainedOf(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		script     string
		permission bool
		want       string
	}{
		"a complaint":                       {"echo no such thing >&2; exit 3", false, "no such thing"},
		"no complaint":                      {"exit 3", false, "exit status 3"},
		"no right to its own configuration": {"echo open config.json: permission denied >&2; exit 1", false, "config.json"},
		"no right to ask":                   {"echo dial unix: connect: Permission denied >&2; exit 1", true, "denied"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := output(t.Context(), os.Environ(), shell, "-c", c.script)
			if err == nil || errors.Is(err, os.ErrPermission) != c.permission || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want one with %q", err, c.want)
			}
		})
	}
}
