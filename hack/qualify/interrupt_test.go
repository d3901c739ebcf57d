package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
)

// patience bounds what a test waits for; it fails long before that where all is well.
const patience = 20 * time.Second

// startGroup starts a script in a process group of its own and waits until it says that it is ready.
func startGroup(t *testing.T, script string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd = exec.Command("sh", "-c", script+"\n"+`: > ready; while :; do sleep 0.05; done`)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	waitForFile(t, filepath.Join(dir, "ready"))
	return cmd, dir
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("%s does not come", filepath.Base(path))
}

func TestAnInterruptReachesTheSuiteOnce(t *testing.T) {
	cmd, dir := startGroup(t, `trap 'echo interrupted >> signals; sleep 0.2; exit 7' INT`)
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 10)
	release := guard(ctx, cmd, patience, func(line string) { said <- line })
	cancel()
	err := cmd.Wait()
	release()
	if signals, _ := os.ReadFile(filepath.Join(dir, "signals")); string(signals) != "interrupted\n" || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("the suite got %q and ended with %v", signals, err)
	}
	if first := <-said; !strings.HasPrefix(first, "interrupted") {
		t.Errorf("said %q", first)
	}
}

func TestASecondInterruptKillsTheSuiteAndItsChildren(t *testing.T) {
	cmd, dir := startGroup(t, `trap '' INT; (: > child; while :; do echo alive > beat; sleep 0.05; done) &`)
	waitForFile(t, filepath.Join(dir, "child"))
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 10)
	release := guard(ctx, cmd, patience, func(line string) { said <- line })
	cancel()
	<-said // From now on the signal is the guard's.
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	release()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the suite ended with %v", err)
	}
	groupIsGone(t, cmd.Process.Pid)
}

func TestASuiteThatDoesNotEndIsKilledAfterTheGrace(t *testing.T) {
	cmd, _ := startGroup(t, `trap '' INT`)
	ctx, cancel := context.WithCancelCause(t.Context())
	var said []string
	release := guard(ctx, cmd, 100*time.Millisecond, func(line string) { said = append(said, line) })
	cancel(problem.Environment("the engine died", "", "", nil))
	if err := cmd.Wait(); err == nil {
		t.Error("the suite ended by itself")
	}
	release()
	if len(said) != 3 || said[0] != "the engine died" || said[2] != "the suite did not end within 100ms: killed" {
		t.Errorf("said %q", said)
	}
	groupIsGone(t, cmd.Process.Pid)
}

// groupIsGone waits until the kernel has no process of a group left, zombies of other parents apart.
func groupIsGone(t *testing.T, group int) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) || onlyZombies(group) {
			return
		}
	}
	t.Errorf("processes of the group %d are left", group)
}

func onlyZombies(group int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state parent group
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" {
			return false
		}
	}
	return true
}

func TestAGuardThatIsNotNeededSaysNothing(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release := guard(t.Context(), cmd, patience, func(line string) { t.Errorf("said %q", line) })
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	release()
}

func TestCauseOf(t *testing.T) {
	failed, died := errors.New("failed"), errors.New("the engine died")
	for name, c := range map[string]struct {
		end       func(context.CancelCauseFunc)
		err, want error
	}{
		"running":     {func(context.CancelCauseFunc) {}, failed, failed},
		"all is well": {func(context.CancelCauseFunc) {}, nil, nil},
		"a death":     {func(end context.CancelCauseFunc) { end(died) }, failed, died},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		c.end(cancel)
		if got := causeOf(ctx, c.err); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		cancel(nil)
		if name == "all is well" {
			if got := causeOf(ctx, nil); problem.ExitCode(got) != problem.ExitEnvironment {
				t.Errorf("an interrupt after the end: %v", got)
			}
		}
	}
}

func TestStartedSince(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	put(t, socket, "")
	for _, c := range []struct {
		host   string
		moment time.Time
		want   bool
	}{
		{"unix://" + socket, time.Now().Add(-time.Hour), true},
		{"unix://" + socket, time.Now().Add(time.Hour), false},
		{"unix://" + socket + ".gone", time.Now().Add(-time.Hour), false},
		{"", time.Now().Add(-time.Hour), false},
	} {
		if got := startedSince(c.host, c.moment); got != c.want {
			t.Errorf("startedSince(%q, %s) = %v", c.host, c.moment, got)
		}
	}
}
