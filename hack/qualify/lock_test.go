package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
)

func TestSecondHolderIsToldWhoHasTheLock(t *testing.T) {
	cache := t.TempDir()
	first, err := takeLock(cache, "20260102-030405")
	if err != nil {
		t.Fatal(err)
	}
	_, err = takeLock(cache, "20260102-030406")
	want := fmt.Sprintf("another run holds the lock (run 20260102-030405, process %d, since ", os.Getpid())
	if err == nil || !strings.HasPrefix(err.Error(), want) || problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("second holder got %v, want %s…", err, want)
	}
	if err := first.starts("/somewhere/job.json"); err != nil {
		t.Fatal(err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	second, err := takeLock(cache, "20260102-030406")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.release() }()
	if second.before.Run != "20260102-030405" || second.before.Job != "/somewhere/job.json" {
		t.Errorf("the holder before is %+v", second.before)
	}
	if now := readHolder(lockPath(cache)); now.Run != "20260102-030406" || now.Job != "" {
		t.Errorf("the file names %+v", now)
	}
}

func TestLockOfADeadHolderIsWaitedFor(t *testing.T) {
	cache := t.TempDir()
	suite, err := takeLock(cache, "killed")
	if err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	suite.self.PID = gone.Process.Pid
	if err := suite.write(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*lockPause, func() { _ = suite.release() })
	next, err := takeLock(cache, "next")
	if err != nil {
		t.Fatal(err)
	}
	_ = next.release()
}

func TestLockProblems(t *testing.T) {
	if _, err := takeLock(filepath.Join(t.TempDir(), "missing"), "run"); problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("a missing folder gives %v", err)
	}
	path := filepath.Join(t.TempDir(), "run.lock")
	for content, want := range map[string]string{"": "unknown run", "{": "unknown run", "{}": "unknown run"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readHolder(path).String(); got != want {
			t.Errorf("content %q is described as %q", content, got)
		}
	}
}

func TestSurvivorsOfAKilledRunAreEnded(t *testing.T) {
	job := filepath.Join(t.TempDir(), "job.json")
	start := func(argument string) (*exec.Cmd, <-chan error) {
		// The shell waits for input that never comes; $0 and $1 are only there to be found.
		cmd := exec.Command("sh", "-c", "read nothing; :", "suite", argument)
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		return cmd, ended
	}
	_, ended := start(jobFlag(job))
	neighbour, neighbourEnded := start(jobFlag(job) + ".other")
	defer func() {
		_ = neighbour.Process.Kill()
		<-neighbourEnded
	}()

	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if err := endSurvivors("", say); err != nil || len(said) > 0 {
		t.Errorf("without a job: %v, said %q", err, said)
	}
	// Until the shell has replaced the test's own image, it is not to be found.
	for len(processesOf("/proc", job)) == 0 {
		time.Sleep(lockPause)
	}
	if err := endSurvivors(job, say); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the survivor ended by itself")
	}
	if len(said) == 0 || !strings.HasPrefix(said[0], "ended process ") {
		t.Errorf("said %q", said)
	}
	if left := processesOf("/proc", job+".other"); len(left) != 1 {
		t.Errorf("the neighbour of another job: %v", left)
	}
}
