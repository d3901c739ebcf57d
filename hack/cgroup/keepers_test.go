package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestKeepersReadWhereAProcessIs(t *testing.T) {
	for version, files := range map[int]map[string]string{
		1: {"cgroup": "9:name=systemd:/a\n2:cpu,cpuacct:/user/b\n0::/c\n"},
		2: {"cgroup": "0::/user/b\n"},
	} {
		h := fake(t, version, (hierarchy{unified: version == 2}).weightFile())
		proc := t.TempDir()
		put(t, filepath.Join(proc, "7", "cgroup"), files["cgroup"])
		k, err := openKeepers(h, proc, "/clusters", []int{7, 8})
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if got, want := k.back[7], h.path("/user/b"); got != want || len(k.back) != 1 {
			t.Errorf("version %d: %s of %v, want %s", version, got, k.back, want)
		}
		if got := content(t, k.procs(k.dir)); got != "7" {
			t.Errorf("version %d: the group has the processes %q", version, got)
		}
		for _, dir := range []string{h.dir, h.path("/user/b")} {
			put(t, k.procs(dir), "")
		}
		if err := k.Close(); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		if got := content(t, k.procs(h.path("/user/b"))); got != "7" {
			t.Errorf("version %d: the group before has %q", version, got)
		}
		if _, err := os.Stat(k.dir); !os.IsNotExist(err) {
			t.Errorf("version %d: the group is still there: %v", version, err)
		}
	}
}

// TestKeepersOfThisMachine moves a real process, where the test may.
func TestKeepersOfThisMachine(t *testing.T) {
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	pid := sleeper.Process.Pid
	k, err := OpenKeepers(Root, "/mesh-conformance-test-"+strconv.Itoa(os.Getpid()), pid)
	if err != nil {
		t.Skipf("no control groups here: %v", err)
	}
	if in, err := k.groupOf(pid); err != nil || in != k.dir {
		t.Errorf("the process is in %s, %v", in, err)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if in, err := k.groupOf(pid); err != nil || in == k.dir || strings.Contains(in, "keepers") {
		t.Errorf("afterwards the process is in %s, %v", in, err)
	}
}
