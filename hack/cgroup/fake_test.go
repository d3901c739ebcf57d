package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a hierarchy in a folder, whose groups have these files when they are made, as in the kernel.
func fake(t *testing.T, version int, files ...string) hierarchy {
	t.Helper()
	root := t.TempDir()
	dir := root
	if version == 1 {
		dir = filepath.Join(root, "cpu")
		put(t, filepath.Join(dir, "cpu.shares"), "1024\n")
	} else {
		put(t, filepath.Join(root, "cgroup.controllers"), "cpuset cpu io memory pids\n")
		put(t, filepath.Join(root, "cgroup.subtree_control"), "memory\n")
	}
	h, err := find(root)
	if err != nil || h.dir != dir || h.unified != (version == 2) {
		t.Fatalf("found %+v, %v", h, err)
	}
	h.mkdir = func(dir string) error {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for _, name := range append(files, "cgroup.procs", h.threadsFile()) {
			put(t, filepath.Join(dir, name), "")
		}
		return nil
	}
	h.rmdir = func(dir string) error {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err == nil && strings.TrimSpace(string(text)) == "busy" {
			return errors.New("device or resource busy")
		}
		return os.RemoveAll(dir)
	}
	return h
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		dir     string
		unified bool
		err     string
	}{
		"version 1":                    {map[string]string{"cpu/cpu.shares": "1024"}, "cpu", false, ""},
		"version 1, as systemd mounts": {map[string]string{"cpu,cpuacct/cpu.shares": "1024"}, "cpu,cpuacct", false, ""},
		"both, without cpu in the new": {
			map[string]string{"cpu/cpu.shares": "1024", "unified/cgroup.controllers": ""}, "cpu", false, "",
		},
		"version 2": {map[string]string{"cgroup.controllers": "cpu memory"}, "", true, ""},
		"version 2, cpu not delegated": {
			map[string]string{"cgroup.controllers": "cpuset memory"}, "", false, "does not list the cpu controller",
		},
		"nothing mounted": {nil, "", false, "no cpu controller is mounted below"},
		"version 1 without controllers": {
			map[string]string{"cpu/tasks": ""}, "", false, "no cpu controller is mounted below",
		},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			put(t, filepath.Join(root, file), text)
		}
		h, err := find(root)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || h.dir != filepath.Join(root, c.dir) || h.unified != c.unified {
			t.Errorf("%s: %s, unified %v, %v", name, h.dir, h.unified, err)
		}
	}
}
