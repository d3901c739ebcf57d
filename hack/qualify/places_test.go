package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestFindPlaces(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(root, "suites", "deep")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte(modulePath+"\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inner)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "home"))
	for _, c := range []struct{ cache, output, wantCache, wantOutput string }{
		{"", "", filepath.Join(root, "home", "mesh-conformance"), filepath.Join(root, "_output")},
		{"c", "/elsewhere/o", filepath.Join(inner, "c"), "/elsewhere/o"},
	} {
		got, err := findPlaces(c.cache, c.output)
		if want := (places{repository: root, cache: c.wantCache, output: c.wantOutput}); err != nil || got != want {
			t.Errorf("findPlaces(%q, %q) = %+v, %v; want %+v", c.cache, c.output, got, err, want)
		}
	}

	t.Chdir(t.TempDir())
	if _, err := findPlaces("", ""); problem.ExitCode(err) != problem.ExitUsage || !strings.HasPrefix(err.Error(), "not inside a checkout") {
		t.Errorf("outside a checkout: %v", err)
	}
}

func TestIsRepository(t *testing.T) {
	for content, want := range map[string]bool{
		modulePath + "\n": true, modulePath: true, "module other\n": false, "": false,
		"module mesh-conformance/hack/tools\n": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := isRepository(dir); got != want {
			t.Errorf("a go.mod of %q is the repository's: %v", content, got)
		}
	}
	if isRepository(t.TempDir()) {
		t.Error("a folder without go.mod is the repository")
	}
}

func TestWritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	if err := writable(dir, "--cache"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := writable(filepath.Join(file, "below"), "--cache")
	if problem.ExitCode(err) != problem.ExitEnvironment || !strings.HasSuffix(err.Error(), "make it writable or set --cache") {
		t.Errorf("below a file: %v", err)
	}
}

func TestEnough(t *testing.T) {
	if err := enough("/d", 4*gibibyte, 4*gibibyte); err != nil {
		t.Error(err)
	}
	err := enough("/d", 3*gibibyte, 4*gibibyte)
	want := "too little disk space: 3.0 GiB free, 4.0 GiB needed, 1.0 GiB missing (/d); free some or set --cache to a larger disk"
	if err == nil || err.Error() != want || problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCheckDiskOfAFolderThatIsYetToBeMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := checkDisk(t.Context(), dir, 1); err != nil {
		t.Error(err)
	}
	if err := checkDisk(t.Context(), dir, 1<<62); problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("a need beyond any disk: %v", err)
	}
}

func TestPointLatest(t *testing.T) {
	output := t.TempDir()
	for _, id := range []string{"first", "second"} {
		if err := pointLatest(output, id); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(output, latestLink)); err != nil || got != id {
			t.Errorf("latest points at %q, %v", got, err)
		}
	}
	for name, inTheWay := range map[string]func(string) error{
		"a file is replaced": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a folder is told":   func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		output := t.TempDir()
		if err := inTheWay(filepath.Join(output, latestLink)); err != nil {
			t.Fatal(err)
		}
		err := pointLatest(output, "run")
		if strings.HasSuffix(name, "told") != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(output, ".latest-*")); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}
