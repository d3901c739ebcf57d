package pin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

const sum = "sha256:2222222222222222222222222222222222222222222222222222222222222222"

// fakeGo stands for the go command and a module source that has some modules.
type fakeGo struct {
	// trees maps path@version to a module's folder with a go.mod.
	trees map[string]string
	// has are modules, path@version, that list -m finds.
	has   []string
	tidy  string
	calls []string
}

func (f *fakeGo) run(_ context.Context, dir string, env []string, args ...string) (out, said string, err error) {
	f.calls = append(f.calls, strings.Join(args, " "))
	switch {
	case slices.Contains(env, "GOFLAGS=-mod=readonly"), args[0] == "mod" && args[1] == "tidy":
		if f.tidy != "" {
			return "", f.tidy, errors.New("exit status 1")
		}
		return "", "", os.WriteFile(filepath.Join(dir, "go.sum"), []byte("a v1 h1:x\nb v1 h1:y\n"), 0o644)
	case args[0] == "mod":
		asked := args[len(args)-1]
		tree, ok := f.trees[asked]
		if !ok {
			answer, _ := json.Marshal(module{Error: notThere(asked)})
			return string(answer), "", errors.New("exit status 1")
		}
		path, version, _ := strings.Cut(asked, "@")
		if !strings.HasPrefix(version, "v") {
			version = "v0.0.0-20240601203759-7f26a100ece0"
		}
		answer, _ := json.Marshal(module{Path: path, Version: version, Dir: tree, GoMod: filepath.Join(tree, "go.mod")})
		return string(answer), "", nil
	}
	for _, asked := range args {
		path, version, ok := strings.Cut(asked, "@")
		if !ok {
			continue
		}
		m := map[string]any{"Path": path, "Version": version}
		if !slices.Contains(f.has, asked) {
			m["Error"] = map[string]string{"Err": notThere(asked)}
		}
		answer, _ := json.Marshal(m)
		out += string(answer)
	}
	return out, "", nil
}

func notThere(asked string) string {
	return "go: " + asked + ": reading https://proxy.example/@v/x.info: 403 Forbidden"
}

// checkout is a copy of the pins that a test may write to; tree is a module's folder.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"go.mod", versionsFile} {
		content, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, file, string(content))
	}
	if err := os.MkdirAll(filepath.Join(dir, "hack", "build"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, dir, file, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(file))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func tree(t *testing.T, gomod string, files map[string]string, mains ...string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "go.mod", gomod)
	for file, content := range files {
		put(t, dir, file, content)
	}
	for _, main := range mains {
		put(t, dir, main+"/main.go", "package main\n")
	}
	return dir
}

func pinner(dir string, fake *fakeGo, said *strings.Builder) Pinner {
	return Pinner{
		Repository: dir, Go: fake.run,
		Digest: func(_ context.Context, reference string) (string, error) {
			if strings.Contains(reference, "install-cni") {
				return "", problem.Environment("cannot pull "+reference, "", "", nil)
			}
			return sum, nil
		},
		Say: func(format string, args ...any) { fmt.Fprintf(said, format+"\n", args...) },
	}
}

const istioMod = `module istio.io/istio

go 1.22

replace github.com/imdario/mergo => github.com/imdario/mergo v0.3.5

require (
	istio.io/api v1.21.9-0.20240101
	istio.io/client-go v1.21.4
)
`

func newIstio(t *testing.T) *fakeGo {
	t.Helper()
	return &fakeGo{
		trees: map[string]string{"istio.io/istio@1.21.9": tree(t, istioMod, map[string]string{"VERSION": "1.21\n"},
			"cni/cmd/install-cni", "istioctl/cmd/istioctl", "pilot/cmd/pilot-agent", "pilot/cmd/pilot-discovery")},
		has: []string{"istio.io/api@v1.21.7", "istio.io/api@v1.21.2", "istio.io/client-go@v1.21.4"},
	}
}

func TestIstio(t *testing.T) {
	dir, fake := checkout(t), newIstio(t)
	before := read(t, dir, versionsFile)
	var said strings.Builder
	p := pinner(dir, fake, &said)
	if err := p.Istio(t.Context(), "1.21.9", ""); err != nil {
		t.Fatal(err)
	}
	gomod := read(t, dir, "hack/build/istio-1.21.9/go.mod")
	for _, want := range []string{
		"module mesh-conformance/build/istio-1.21.9\n", "godebug default=go1.22\n", "\tistio.io/istio/pilot/cmd/pilot-agent\n",
		"require istio.io/istio v0.0.0-20240601203759-7f26a100ece0", "\tgithub.com/imdario/mergo => github.com/imdario/mergo v0.3.5\n", "\tistio.io/api => istio.io/api v1.21.7\n",
	} {
		if !strings.Contains(gomod, want) {
			t.Errorf("%q is not in go.mod:\n%s", want, gomod)
		}
	}
	if strings.Contains(gomod, "istio.io/client-go =>") {
		t.Errorf("a module that can be had is replaced:\n%s", gomod)
	}
	pins := read(t, dir, versionsFile)
	entry := "  1.21.9:\n    envoy: 1.40.0\n    published:\n      hub: docker.io/istio\n      tag: 1.21.9\n      digests:\n        pilot: " + sum +
		"\n        proxyv2: " + sum + "\n        istioctl: " + sum + "\n"
	if strings.Replace(pins, entry, "", 1) != before || pins == before {
		t.Errorf("pins:\n%s", pins)
	}
	for _, want := range []string{
		"cannot be had: istio.io/istio/cni/cmd/istio-cni", "cannot be had: the digest of docker.io/istio/install-cni:1.21.9",
		"cannot be had: istio.io/api v1.21.9-0.20240101, which the release requires; v1.21.7 stands in", "written: hack/build/istio-1.21.9, 2 lines",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in\n%s", want, said.String())
		}
	}

	// Again: nothing is asked and nothing is written.
	calls := len(fake.calls)
	if err := p.Istio(t.Context(), "v1.21.9", ""); err != nil || len(fake.calls) != calls || read(t, dir, versionsFile) != pins {
		t.Errorf("a second time: %v, %q", err, fake.calls[calls:])
	}
}

func TestIstioRefuses(t *testing.T) {
	unreachable := `go: x: Get "https://proxy.example/x": dial tcp: connection refused`
	for name, c := range map[string]struct {
		version, commit string
		change          func(t *testing.T, dir string, fake *fakeGo)
		code            int
		want            string
	}{
		"a malformed version": {version: "1.21", code: problem.ExitUsage, want: "malformed version"},
		"an unknown version":  {version: "1.21.99", code: problem.ExitUsage, want: "--commit"},
		"an unknown commit":   {version: "1.21.9", commit: "abc", code: problem.ExitUsage, want: "cannot be had"},
		"another branch":      {version: "1.22.9", commit: "1.21.9", code: problem.ExitUsage, want: "is of Istio 1.21"},
		"an incomplete folder": {version: "1.21.9", change: func(t *testing.T, dir string, _ *fakeGo) {
			put(t, dir, "hack/build/istio-1.21.9/go.mod", "module x\n")
		}, code: problem.ExitUsage, want: "nothing is overwritten"},
		"no stand-in":           {version: "1.21.9", change: func(_ *testing.T, _ string, fake *fakeGo) { fake.has = nil }, code: problem.ExitUsage, want: "istio.io/api"},
		"an unreachable source": {version: "1.21.9", change: func(_ *testing.T, _ string, fake *fakeGo) { fake.tidy = unreachable }, code: problem.ExitEnvironment, want: "cannot be reached"},
		"a missing dependency":  {version: "1.21.9", change: func(_ *testing.T, _ string, fake *fakeGo) { fake.tidy = notThere("dep@v1") }, code: problem.ExitUsage, want: "dep@v1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, fake := checkout(t), newIstio(t)
			if c.change != nil {
				c.change(t, dir, fake)
			}
			before := read(t, dir, versionsFile)
			var said strings.Builder
			err := pinner(dir, fake, &said).Istio(t.Context(), c.version, c.commit)
			if problem.ExitCode(err) != c.code || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("got %v; want exit code %d and %q", err, c.code, c.want)
			}
			if read(t, dir, versionsFile) != before {
				t.Error("the pins were changed")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "hack", "build", ".pin-*")); len(left) > 0 {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

const kubernetesMod = `module k8s.io/kubernetes

go 1.21

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/kms => ./staging/src/k8s.io/kms
)
`

func newKubernetes(t *testing.T) *fakeGo {
	t.Helper()
	constants := "package constants\n\nconst (\n\tDefaultEtcdVersion = \"3.5.16-0\"\n\tCoreDNSVersion = \"v1.11.1\"\n\tPauseVersion = \"3.9\"\n)\n"
	return &fakeGo{
		trees: map[string]string{
			"k8s.io/kubernetes@v1.29.7": tree(t, kubernetesMod, map[string]string{constantsFile: constants}, "cmd/kubelet", "cmd/kubeadm"),
			etcdModule + "@v3.5.16":     tree(t, "module "+etcdModule+"\n\ngo 1.19\n\nreplace go.etcd.io/etcd/api/v3 => ../api\n", nil, "."),
			corednsModule + "@v1.11.1":  tree(t, "module "+corednsModule+"\n\ngo 1.20\n", nil, "."),
		},
		has: []string{"k8s.io/api@v0.29.7", "k8s.io/kms@v0.29.7"},
	}
}

func TestKubernetes(t *testing.T) {
	dir, fake := checkout(t), newKubernetes(t)
	var said strings.Builder
	p := pinner(dir, fake, &said)
	if err := p.Kubernetes(t.Context(), "v1.29.7"); err != nil {
		t.Fatal(err)
	}
	if gomod := read(t, dir, "hack/build/kubernetes-1.29.7/go.mod"); !strings.Contains(gomod, "k8s.io/kms => k8s.io/kms v0.29.7") {
		t.Errorf("go.mod:\n%s", gomod)
	}
	if gomod := read(t, dir, "hack/build/etcd-3.5.16/go.mod"); !strings.Contains(gomod, "tool "+etcdModule) || !strings.Contains(gomod, "default=go1.21") {
		t.Errorf("go.mod:\n%s", gomod)
	}
	_, versions, err := p.versions()
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := versions.ForKubernetes("1.29")
	if err != nil || pinned.Version != "1.29.7" || pinned.Etcd.Tag != "3.5.16-0" || pinned.CoreDNS.Build != "1.11.1" || pinned.Pause != "3.9" ||
		pinned.Published != "kindest/node:v1.29.7@"+sum {
		t.Errorf("%+v, %v", pinned, err)
	}
	if err := p.Kubernetes(t.Context(), "1.29.7"); err != nil {
		t.Error(err)
	}
	oneLine := func(err error, want string) {
		t.Helper()
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	oneLine(p.Kubernetes(t.Context(), "1.29.8"), "is pinned at 1.29.7")
	oneLine(p.Kubernetes(t.Context(), "1.99.0"), "cannot be had")
	incomplete := newKubernetes(t)
	incomplete.has = incomplete.has[:1]
	oneLine(pinner(checkout(t), incomplete, &said).Kubernetes(t.Context(), "1.29.7"), "lacks k8s.io/kms@v0.29.7")
}

func TestInsertKeepsOrderAndComments(t *testing.T) {
	content := []byte(read(t, "../..", versionsFile))
	for key, before := range map[string]string{"1.18.7": "  1.19.0:", "1.20.5": "  1.21.3:", "1.99.0": "\n# Envoy as PyPI"} {
		got, err := insert(content, "istio", key, []string{key + ":", "  envoy: 1.40.0", "  published: {hub: h, tag: t}"})
		if err != nil {
			t.Fatal(err)
		}
		if want := "  " + key + ":\n    envoy: 1.40.0\n    published: {hub: h, tag: t}\n" + before; !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if _, err := insert(content, "istio", "1.20.5", []string{"1.20.5:", "  envoy: 9.9.9"}); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("an entry that does not fit: %v", err)
	}
	if _, err := insert(content, "nosuch", "1.20.5", nil); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("an unknown section: %v", err)
	}
}

func TestRaise(t *testing.T) {
	text, why, err := raise([]byte("module x\n\ngo 1.21\n\nrequire golang.org/x/net v0.1.0 // indirect\n"))
	if err != nil || why == "" || !strings.Contains(string(text), "golang.org/x/net v0.4.0") {
		t.Errorf("%s, %q, %v", text, why, err)
	}
	if _, why, err := raise([]byte("module x\n\ngo 1.21\n\nrequire golang.org/x/net v0.4.0\n")); err != nil || why != "" {
		t.Errorf("%q, %v", why, err)
	}
}

func TestPinsThatWouldIgnoreWhatIsAsked(t *testing.T) {
	dir := checkout(t)
	for _, file := range []string{"go.mod", "go.sum"} {
		put(t, dir, folder("istio", "1.20.0")+"/"+file, "")
	}
	for name, c := range map[string]struct{ version, commit, want string }{
		"a commit of what is there":    {"1.20.0", "bogus", "nothing is overwritten by the commit bogus (--commit)"},
		"a leading zero of the major":  {"01.20.0", "", `malformed version "01.20.0"`},
		"a leading zero of the patch":  {"1.20.00", "", `malformed version "1.20.00"`},
		"a leading zero and a release": {"v1.020.0", "", `malformed version "v1.020.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			err := pinner(dir, &fakeGo{}, &said).Istio(t.Context(), c.version, c.commit)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want usage with %q", err, c.want)
			}
		})
	}
}
