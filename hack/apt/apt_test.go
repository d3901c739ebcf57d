package apt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holdVariable names the file that the test binary locks when it runs as the holder.
const holdVariable = "APT_TEST_HOLD"

// TestMain is also the program of the process that holds a lock: fcntl locks belong to a process.
func TestMain(m *testing.M) {
	path := os.Getenv(holdVariable)
	if path == "" {
		os.Exit(m.Run())
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	fmt.Println(err)
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent closes it
}

// hold has a child process lock a file, and returns its pid and what ends it.
func hold(t *testing.T, path string) (pid int, release func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdVariable+"="+path)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "<nil>\n" {
		t.Fatalf("the holder says %q, %v", said, err)
	}
	release = func() {
		_ = in.Close()
		_ = child.Wait()
	}
	t.Cleanup(release)
	return child.Process.Pid, release
}

// fakeApt puts an apt-get that is a script first on the search path. It runs in a folder of its own, which is returned.
func fakeApt(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\ncd " + dir + "\necho \"$@\" >> calls\n" + script
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func calls(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func TestRunWaitsForTheHolderOfALock(t *testing.T) {
	dir := fakeApt(t, "echo done; exit 0\n")
	free, taken, absent := filepath.Join(dir, "free"), filepath.Join(dir, "taken"), filepath.Join(dir, "absent")
	if err := os.WriteFile(free, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pid, release := hold(t, taken)
	var lines []string
	log := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, args...))
		if len(lines) == 1 {
			if made := calls(t, dir); len(made) > 0 {
				t.Errorf("called while the lock was held: %q", made)
			}
			time.AfterFunc(3*pollInterval, release)
		}
	}
	said, err := Runner{Log: log, locks: []string{absent, free, taken}}.Run(t.Context(), "update", "--quiet")
	if err != nil || said != "done\n" {
		t.Errorf("said %q, %v", said, err)
	}
	name := filepath.Base(os.Args[0])
	want := fmt.Sprintf("apt-get waits: process %d (%s) holds %s", pid, name[:min(15, len(name))], taken)
	if len(lines) != 2 || lines[0] != want || !strings.HasPrefix(lines[1], "apt-get goes on after ") {
		t.Errorf("logged %q, want %q", lines, want)
	}
	if made := calls(t, dir); len(made) != 1 || made[0] != "--option DPkg::Lock::Timeout=5 --option Acquire::Retries=3 update --quiet" {
		t.Errorf("calls %q", made)
	}
}

func TestRunGivesUpOnAHolderThatStays(t *testing.T) {
	dir := fakeApt(t, "exit 0\n")
	lock := filepath.Join(dir, "lock")
	pid, _ := hold(t, lock)
	_, err := Runner{locks: []string{lock}, patience: 2 * pollInterval}.Run(t.Context(), "update")
	if want := fmt.Sprintf("process %d ", pid); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "still after") {
		t.Errorf("got %v, want one with %q", err, want)
	}
	if made := calls(t, dir); len(made) > 0 {
		t.Errorf("called %q", made)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	dir := fakeApt(t, "exit 0\n")
	lock := filepath.Join(dir, "lock")
	hold(t, lock)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Runner{Log: func(string, ...any) { cancel() }, locks: []string{lock}}.Run(ctx, "update")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRunTriesAgainWhereAptGetLostTheLock(t *testing.T) {
	dir := fakeApt(t, `[ -e before ] && exit 0
touch before
echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 999999999 (apt-get)" >&2
exit 100
`)
	var lines []string
	log := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if _, err := (Runner{Log: log, locks: []string{}}).Run(t.Context(), "update"); err != nil {
		t.Error(err)
	}
	if len(lines) != 2 || lines[0] != "apt-get waits: process 999999999 holds /var/lib/apt/lists/lock" || !strings.HasPrefix(lines[1], "apt-get goes on after") {
		t.Errorf("logged %q", lines)
	}
	if made := calls(t, dir); len(made) != 2 {
		t.Errorf("calls %q", made)
	}
}

func TestRunReturnsOtherErrorsAtOnce(t *testing.T) {
	dir := fakeApt(t, "echo 'E: Unable to locate package x' >&2; exit 100\n")
	said, err := Runner{locks: []string{}}.Run(t.Context(), "install", "x")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || Lines(said, "E: ") != "Unable to locate package x" || len(calls(t, dir)) != 1 {
		t.Errorf("said %q, %v, calls %q", said, err, calls(t, dir))
	}
}

// TestScript runs the shell's way to call apt-get.
func TestScript(t *testing.T) {
	script, err := filepath.Abs("apt-get.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		script      string
		calls, code int
	}{
		"success":        {"exit 0\n", 1, 0},
		"another error":  {"echo 'E: Unable to locate package x'; exit 7\n", 1, 7},
		"a lock is held": {"[ -e before ] && exit 0\ntouch before\necho 'E: Could not get lock /a. It is held by process 1 (b)' >&2\nexit 100\n", 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fakeApt(t, c.script)
			command := exec.Command("sh", script, "install", "x")
			said, err := command.CombinedOutput()
			made := calls(t, dir)
			if command.ProcessState.ExitCode() != c.code || len(made) != c.calls || made[0] != "-o DPkg::Lock::Timeout=600 install x" {
				t.Errorf("said %q, %v, calls %q", said, err, made)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	for said, want := range map[string]string{
		"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 0 (x)\nE: Unable to acquire":       "another process holds /var/lib/dpkg/lock-frontend",
		"E: Could not get lock /a/lock. It is held by process 999999999 (apt)":                                       "process 999999999 holds /a/lock",
		"E: Could not get lock /a/lock - open (11: Resource temporarily unavailable)":                                "another process holds /a/lock",
		"dpkg: error: dpkg frontend lock is locked by another process":                                               "another process holds /var/lib/dpkg/lock-frontend",
		"dpkg: error: dpkg frontend lock was locked by another process with pid 999999999":                           "process 999999999 holds /var/lib/dpkg/lock-frontend",
		"dpkg: error: dpkg database lock was locked by another process with pid 999999999":                           "process 999999999 holds /var/lib/dpkg/lock-frontend",
		"dpkg: error: dpkg status database is locked by another process":                                             "another process holds /var/lib/dpkg/lock-frontend",
		"E: Could not open lock file /var/lib/dpkg/lock - open (13: Permission denied)\nE: Unable to lock directory": "",
		"E: Could not get lock /a/lock - open (37: No locks available)":                                              "",
		"Waiting for cache lock: Could not get lock /a. It is held by process 1 (a)\nE: Unable to locate package x":  "",
	} {
		by, locked := refusal(said)
		if locked != (want != "") || locked && by.String() != want {
			t.Errorf("refusal(%q) = %q, %t; want %q", said, by, locked, want)
		}
	}
}

func TestLines(t *testing.T) {
	if got := Lines("x\nE: a\n E: a\nE: b\nE: c\n", "E: "); got != "a | b" {
		t.Errorf("got %q", got)
	}
}
