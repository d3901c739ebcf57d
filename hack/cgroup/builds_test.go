package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestBuildsYieldAndResume(t *testing.T) {
	for name, c := range map[string]struct {
		version       int
		files         []string
		front, behind map[string]string
	}{
		"version 1": {
			1, []string{"cpu.shares"},
			map[string]string{"cpu.shares": strconv.Itoa(1024 * runtime.NumCPU())}, map[string]string{"cpu.shares": "2"},
		},
		"version 1 with cpu.idle": {
			1, []string{"cpu.shares", "cpu.idle"},
			map[string]string{"cpu.shares": strconv.Itoa(1024 * runtime.NumCPU()), "cpu.idle": "0"},
			map[string]string{"cpu.idle": "1"},
		},
		"version 2": {
			2, []string{"cpu.weight"},
			map[string]string{"cpu.weight": strconv.Itoa(100 * runtime.NumCPU())}, map[string]string{"cpu.weight": "1"},
		},
		"version 2 with cpu.idle": {
			2, []string{"cpu.weight", "cpu.idle"},
			map[string]string{"cpu.weight": strconv.Itoa(100 * runtime.NumCPU()), "cpu.idle": "0"},
			map[string]string{"cpu.idle": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := openFake(fake(t, c.version, c.files...))
			if err != nil {
				t.Fatal(err)
			}
			judge := func(when string, want map[string]string) {
				t.Helper()
				for file, value := range want {
					if got := content(t, filepath.Join(b.dir, file)); got != value {
						t.Errorf("%s: %s is %q, want %q", when, file, got, value)
					}
				}
			}
			judge("opened", c.front)
			if err := b.Yield(); err != nil {
				t.Fatal(err)
			}
			judge("giving way", c.behind)
			if err := b.Resume(); err != nil {
				t.Fatal(err)
			}
			judge("resumed", c.front)
		})
	}
}

// openFake opens the group of a cache in a fake hierarchy. No kernel lists there who has entered, but the shell's
// write does.
func openFake(h hierarchy) (*Builds, error) { return openBuilds(h, "/cache") }

func TestBuildsWithoutTheController(t *testing.T) {
	refused := fake(t, 2)
	if _, err := openFake(refused); err == nil {
		t.Error("a group without cpu.weight is opened")
	}
	if got := content(t, filepath.Join(refused.dir, "cgroup.subtree_control")); !strings.Contains(got, "+cpu") {
		t.Errorf("the controller was not asked for: %q", got)
	}
	if entries, err := filepath.Glob(refused.path(buildsPrefix + "*")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %q, %v", entries, err)
	}
	noEntry := fake(t, 1, "cpu.shares")
	mkdir := noEntry.mkdir
	noEntry.mkdir = func(dir string) error {
		if err := mkdir(dir); err != nil {
			return err
		}
		procs := filepath.Join(dir, "cgroup.procs")
		if err := os.Remove(procs); err != nil {
			return err
		}
		return os.Mkdir(procs, 0o755)
	}
	if _, err := openFake(noEntry); err == nil || !strings.Contains(err.Error(), "takes no process") {
		t.Errorf("a group that takes no process: %v", err)
	}
	if _, err := OpenBuilds(t.TempDir(), "/cache"); err == nil {
		t.Error("a machine without control groups has one")
	}
}

func TestBuildsTakeOverWhatAKilledRunLeft(t *testing.T) {
	h := fake(t, 1, "cpu.shares", "cpu.idle")
	killed, err := openFake(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Yield(); err != nil {
		t.Fatal(err)
	}
	next, err := openFake(h)
	if err != nil || next.dir != killed.dir {
		t.Fatalf("%v, %v", next, err)
	}
	if got := content(t, filepath.Join(next.dir, "cpu.idle")); got != "0" {
		t.Errorf("cpu.idle is %q", got)
	}
	other, err := openBuilds(h, "/other")
	if err != nil || other.dir == next.dir {
		t.Errorf("two caches have the same group, %v", err)
	}
}

func TestBuildsClose(t *testing.T) {
	b, err := openFake(fake(t, 1, "cpu.shares"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, b.procs(), "busy")
	if err := b.Close(); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a group with a process: %v", err)
	}
	put(t, b.procs(), "")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.dir); err == nil {
		t.Error("the group is still there")
	}
	if err := b.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestBuildsCommandKeepsArguments(t *testing.T) {
	b, err := openFake(fake(t, 1, "cpu.shares"))
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]func(string, []string) (string, []string){
		"as ever": b.Command, "at an idle disk": b.CommandAtIdleDisk,
	} {
		program, args := command("printf", []string{"%s|", "a b", "$HOME", `"`})
		output, err := exec.Command(program, args...).CombinedOutput()
		if err != nil || string(output) != `a b|$HOME|"|` {
			t.Errorf("%s: %q, %v", name, output, err)
		}
	}
}

// TestBuildsOfThisMachine starts a process and its child in a real group.
func TestBuildsOfThisMachine(t *testing.T) {
	b, err := OpenBuilds(Root, t.TempDir())
	if err != nil {
		t.Skipf("this machine has no group for builds: %v", err)
	}
	for _, change := range []func() error{b.Yield, b.Resume, b.Yield} {
		if err := change(); err != nil {
			t.Error(err)
		}
	}
	name, args := b.CommandAtIdleDisk("sh", []string{"-c", "sh -c 'cat /proc/self/cgroup'"})
	output, err := exec.Command(name, args...).Output()
	if err != nil || !strings.Contains(string(output), filepath.Base(b.dir)) {
		t.Errorf("the child is in %s, %v", output, err)
	}
	if threads, err := b.Threads(); err != nil || len(threads) > 0 {
		t.Errorf("threads %v, %v", threads, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
