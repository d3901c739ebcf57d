package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/apt"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// onlyPrograms makes a folder with these scripts, besides go, the whole search path.
func onlyPrograms(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(goTool, filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

func packagesOf(tools []apt.Tool) string {
	var packages []string
	for _, tool := range tools {
		packages = append(packages, tool.Package)
	}
	return strings.Join(packages, " ")
}

func TestTools(t *testing.T) {
	const works = "exit 0\n"
	for name, c := range map[string]struct {
		source   string
		programs map[string]string
		stored   string // a name of an artifact that is in the cache
		want     string
	}{
		"nothing is there":              {SourceBuilt, nil, "", "mmdebstrap python3-pip"},
		"published images":              {SourcePublished, nil, "", ""},
		"pip is there":                  {SourceBuilt, map[string]string{"pip": works}, "", "mmdebstrap"},
		"pip is there by its module":    {SourceBuilt, map[string]string{"python3": works}, "", "mmdebstrap"},
		"python is there without pip":   {SourceBuilt, map[string]string{"python3": "exit 1\n"}, "", "mmdebstrap python3-pip"},
		"all is there":                  {SourceBuilt, map[string]string{"pip3": works, "mmdebstrap": works}, "", ""},
		"one root file system is built": {SourceBuilt, nil, "iptables-rootfs", "mmdebstrap python3-pip"},
		"the proxies are built":         {SourceBuilt, nil, "envoy-", "mmdebstrap"},
	} {
		t.Run(name, func(t *testing.T) {
			onlyPrograms(t, c.programs)
			b, kubernetes, subject := newPlanner(t)
			options := Options{Repository: b.options.Repository, Cache: b.store.dir, Source: c.source, NodeSource: c.source}
			if c.stored != "" {
				planner, err := newBuilder(t.Context(), noEngine{}, b.versions, options)
				if err != nil {
					t.Fatal(err)
				}
				p, err := planner.plan(t.Context(), kubernetes, subject)
				if err != nil {
					t.Fatal(err)
				}
				for a := range p.tools {
					if strings.HasPrefix(a.name, c.stored) {
						if err := os.MkdirAll(planner.store.path(a), 0o755); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			tools := Tools(t.Context(), b.versions, []kindconfig.Kubernetes{kubernetes}, subject, options)
			got := packagesOf(tools)
			if len(tools) == 2 && tools[0] == pip { // the order is that of the artifacts
				got = packagesOf([]apt.Tool{tools[1], tools[0]})
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestInstallToolsInOneCall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("apt-get is only called by root")
	}
	dir := onlyPrograms(t, map[string]string{"mmdebstrap": "exit 0\n", "apt-get": `
for argument; do case $argument in
update|install|python3-pip|other-tool|mmdebstrap)
	printf '%s ' "$argument"; esac; done >> "${0%/*}/calls"
echo >> "${0%/*}/calls"
case "$*" in *update*) ;; *) echo "E: held back"; exit 100 ;; esac
`})
	err := InstallTools(t.Context(), []apt.Tool{mmdebstrap, pip, {Program: "other", Package: "other-tool"}}, nil)
	called, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if readErr != nil || string(called) != "update \ninstall python3-pip other-tool \n" {
		t.Errorf("called %q, %v", called, readErr)
	}
	want := "cannot install python3-pip, other-tool (E: held back): exit status 100; check that Debian's packages can be reached and run again"
	if err == nil || err.Error() != want || problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestInstallToolsSaysWhatToDo(t *testing.T) {
	onlyPrograms(t, nil)
	for want, tools := range map[string][]apt.Tool{
		"mmdebstrap is missing (PATH); install the package mmdebstrap":                      {mmdebstrap},
		"mmdebstrap, pip3 are missing (PATH); install the packages mmdebstrap, python3-pip": {mmdebstrap, pip},
	} {
		if err := InstallTools(t.Context(), tools, nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := InstallTools(t.Context(), nil, nil); err != nil {
		t.Error(err)
	}
}
