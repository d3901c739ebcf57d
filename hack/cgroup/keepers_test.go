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
	h := fake(t, 1, "cpu.shares")
	proc := t.TempDir()
	put(t, filepath.Join(proc, "7", "cgroup"), "9:name=systemd:/a\n2:cpu,cpuacct:/user/b\n0::/c\n")
	k, err := openKeepers(h, proc, "/clusters", []int{7, 8})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.back[7], h.path("/user/b"); got != want || len(k.back) != 1 {
		t.Errorf("%s of %v, want %s", got, k.back, want)
	}
	if got := content(t, k.procs(k.dir)); got != "7" {
		t.Errorf("the group has the processes %q", got)
	}
	for _, dir := range []string{h.dir, h.path("/user/b")} {
		put(t, k.procs(dir), "")
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if got := content(t, k.procs(h.path("/user/b"))); got != "7" {
		t.Errorf("the group before has %q", got)
	}
	if _, err := os.Stat(k.dir); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}

// On version 2, processes stay where they are.
func TestKeepersOfVersion2MoveNothing(t *testing.T) {
	h := fake(t, 2, "cpu.weight")
	k, err := OpenKeepers(h.dir, "/clusters", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.path("/clusters-keepers")); !os.IsNotExist(err) {
		t.Errorf("a group was made: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
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
