package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/sebdah/goldie/v2"

	"mesh-conformance/hack/engine/capability"
)

// poor is a machine on which nobody can raise a limit.
var poor = machine{
	missing:  capability.Set{capability.SysResource: true, "CAP_SYS_BOOT": true},
	oomScore: 1,
	hardLimit: func(resource string) (uint64, bool) {
		return 20000, resource == "RLIMIT_NOFILE"
	},
}

// rich lacks nothing that has to do with limits.
var rich = machine{
	missing:   capability.Set{"CAP_SYS_BOOT": true},
	hardLimit: poor.hardLimit,
}

func TestRewrite(t *testing.T) {
	cases := map[string]struct {
		input string
		what  kind
		on    machine
	}{
		"container-poor":  {"container.json", containerRequest, poor},
		"container-rich":  {"container.json", containerRequest, rich},
		"process-poor":    {"process.json", processRequest, poor},
		"without-process": {"without-process.json", containerRequest, poor},
	}
	golden := goldie.New(t, goldie.WithNameSuffix(".golden.json"))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			input, err := os.ReadFile(filepath.Join("testdata", c.input))
			if err != nil {
				t.Fatal(err)
			}
			got, err := rewrite(input, c.what, c.on)
			if err != nil {
				t.Fatal(err)
			}
			var readable bytes.Buffer
			if err := json.Indent(&readable, got, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden.Assert(t, name, readable.Bytes())
		})
	}
}

func TestRewriteRefusesWhatIsNoRequest(t *testing.T) {
	for name, request := range map[string]string{
		"no JSON":         "",
		"no object":       "[]",
		"no process":      `{"process": 1}`,
		"no capabilities": `{"process": {"capabilities": ["CAP_CHOWN"]}}`,
		"no limits":       `{"process": {"rlimits": {}}}`,
		"no OOM score":    `{"process": {"oomScoreAdj": "low"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := rewrite([]byte(request), containerRequest, poor); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

func TestRewriteFileKeepsTheModeAndLeavesNothingBeside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "process.json")
	if err := os.WriteFile(file, []byte(`{"capabilities":{"bounding":["CAP_SYS_BOOT","CAP_KILL"]}}`), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := rewriteFile(file, processRequest, poor); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if want := `{"capabilities":{"bounding":["CAP_KILL"]}}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got %v, %v; want mode 0640", info, err)
	}
	if beside, err := os.ReadDir(filepath.Dir(file)); err != nil || len(beside) != 1 {
		t.Errorf("beside it: %v, %v", beside, err)
	}
}

func TestRequestOf(t *testing.T) {
	global := []string{"--root", "/run/create", "--log=/l", "--log-format", "json", "--systemd-cgroup"}
	cases := map[string]struct {
		arguments []string
		file      string
		what      kind
	}{
		"create":                 {append(global, "create", "--bundle", "/b", "--pid-file", "/p", "id"), "/b/config.json", containerRequest},
		"create, short":          {[]string{"create", "-b", "/b", "id"}, "/b/config.json", containerRequest},
		"run, attached":          {[]string{"run", "--bundle=/b", "id"}, "/b/config.json", containerRequest},
		"run in the bundle":      {[]string{"run", "id"}, "config.json", containerRequest},
		"exec":                   {append(global, "exec", "--process", "/p.json", "--detach", "id"), "/p.json", processRequest},
		"exec of a command":      {[]string{"exec", "id", "ls", "-l"}, "", noRequest},
		"exec of ps":             {[]string{"exec", "--cwd", "-p", "id", "ps", "-p", "1"}, "", noRequest},
		"exec past the dashes":   {[]string{"exec", "id", "--", "ps", "-p", "1"}, "", noRequest},
		"start":                  {append(global, "start", "id"), "", noRequest},
		"no command":             {[]string{"--version"}, "", noRequest},
		"a value like a command": {[]string{"--root", "run", "delete", "id"}, "", noRequest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if file, what := requestOf(c.arguments); file != c.file || what != c.what {
				t.Errorf("got %q, %d; want %q, %d", file, what, c.file, c.what)
			}
		})
	}
}
