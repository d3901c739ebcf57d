package images

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWasmModuleFollowsItsSource(t *testing.T) {
	repository := t.TempDir()
	source := filepath.Join(repository, "fixtures", "wasmplugin", "module", "main.go")
	write(t, source, "package main\n")
	key := func(goVersion, goarch string) string {
		t.Helper()
		b := &Builder{options: Options{Repository: repository}, goVersion: goVersion, goarch: goarch}
		module, err := b.wasmModule()
		if err != nil {
			t.Fatal(err)
		}
		return module.key()
	}
	first := key("go1.26.0", "amd64")
	if key("go1.26.0", "arm64") != first {
		t.Error("the node's architecture changes the module")
	}
	if key("go1.26.1", "amd64") == first {
		t.Error("another Go version does not change the module")
	}
	write(t, source, "package main\n\nfunc main() {}\n")
	if key("go1.26.0", "amd64") == first {
		t.Error("another source does not change the module")
	}
	if err := os.Remove(source); err != nil {
		t.Fatal(err)
	}
	b := &Builder{options: Options{Repository: repository}}
	if _, err := b.wasmModule(); err == nil {
		t.Error("no source is no error")
	}
}

func TestLocalProgramFollowsItsPins(t *testing.T) {
	repository := t.TempDir()
	write(t, filepath.Join(repository, "hack", "x", "main.go"), "package main\n")
	pin := filepath.Join(repository, "go.sum")
	write(t, pin, "one\n")
	key := func(pins ...string) string {
		t.Helper()
		program, err := (&Builder{options: Options{Repository: repository}}).localProgram("x", "hack/x", pins...)
		if err != nil {
			t.Fatal(err)
		}
		return program.key()
	}
	pinned, free := key("go.sum"), key()
	write(t, pin, "two\n")
	if key("go.sum") == pinned {
		t.Error("another pin does not change the program")
	}
	if key() != free {
		t.Error("a file that is no pin changes the program")
	}
	if _, err := (&Builder{options: Options{Repository: repository}}).localProgram("x", "hack/x", "go.mod"); err == nil {
		t.Error("a pin that is not there is no error")
	}
}

// The image's key follows the module's: a changed plugin is never served from an old image.
func TestPlanCarriesTheWasmModule(t *testing.T) {
	b, kubernetes, subject := newPlanner(t)
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(p.images, func(a *artifact) bool { return a.name == "image-wasmserver" })
	if at < 0 {
		t.Fatal("no image serves the module")
	}
	for _, need := range []string{"wasm-module", "wasmserver"} {
		if !slices.ContainsFunc(p.images[at].needs, func(a *artifact) bool { return a.name == need }) {
			t.Errorf("the image does not need %s", need)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
