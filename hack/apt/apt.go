// Package apt calls apt-get, and waits while other processes hold the locks of apt and dpkg.
package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// patience is how long apt-get waits for other processes altogether: an unattended upgrade takes minutes.
	patience = 10 * time.Minute
	// pollInterval is how often a waiting process looks at the locks.
	pollInterval = 250 * time.Millisecond
	// stopTime is how long apt-get may take to end in order when its context ends.
	stopTime = 10 * time.Second
)

// Runner calls apt-get. The zero value is ready to use.
type Runner struct {
	// Log receives a line for each process that apt-get waits for, and a line when it goes on; nil drops them.
	Log func(format string, args ...any)

	locks    []string      // the lock files; nil means lockFiles
	patience time.Duration // 0 means the constant
}

// ErrMissing is the error of Run on a machine without apt-get.
var ErrMissing = errors.New("apt-get is not on the search path")

// Tool is a program, and the Debian package that has it.
type Tool struct{ Program, Package string }

// Run calls apt-get with arguments and returns what it printed, standard output and error together. While another
// process holds a lock that apt-get needs, it waits, at most ten minutes. When the context ends, apt-get is asked to
// end (SIGTERM). The error wraps that of the context or of the process, or says which process kept the lock.
func (r Runner) Run(ctx context.Context, arguments ...string) (string, error) {
	return r.run(ctx, ctx, arguments)
}

// RunWhole is Run for calls that must not end half-way, because they would leave packages half configured: the end of
// the context ends only the waiting for other processes.
func (r Runner) RunWhole(ctx context.Context, arguments ...string) (string, error) {
	return r.run(ctx, context.WithoutCancel(ctx), arguments)
}

// Await waits as Run does, and returns when no other process holds a lock.
func (r Runner) Await(ctx context.Context) error { return r.wait().untilFree(ctx) }

// run waits with one context and calls apt-get with another.
func (r Runner) run(ctx, calling context.Context, arguments []string) (string, error) {
	aptGet := find()
	if aptGet == "" {
		return "", ErrMissing
	}
	wait := r.wait()
	for {
		if err := wait.untilFree(ctx); err != nil {
			return "", err
		}
		said, err := call(calling, aptGet, arguments)
		by, locked := refusal(said)
		if err == nil || calling.Err() != nil || !locked {
			wait.end()
			return said, err
		}
		// A process took the lock after the last look, or no look finds it, because it is in another namespace.
		if err := wait.pause(ctx, by); err != nil {
			return said, err
		}
	}
}

// Installable reports whether this process could install packages: it is root's, and the machine has apt-get.
func Installable() bool { return os.Geteuid() == 0 && find() != "" }

// Lines returns the first two different lines of apt-get's output that begin with a prefix, without the prefix, joined
// by " | ".
func Lines(said, prefix string) string {
	var found []string
	for line := range strings.Lines(said) {
		if what, begins := strings.CutPrefix(strings.TrimSpace(line), prefix); begins && !slices.Contains(found, what) {
			found = append(found, what)
		}
	}
	return strings.Join(found[:min(2, len(found))], " | ")
}

// find returns the path of apt-get, or nothing.
func find() string {
	path, err := exec.LookPath("apt-get")
	if err != nil {
		return ""
	}
	return path
}

func call(ctx context.Context, aptGet string, arguments []string) (string, error) {
	// Apt's own waiting covers dpkg's locks only (apt 2.6: not those of the lists and the archives), and is silent
	// here: it bridges the moment between a look at the locks and apt-get's start.
	options := []string{"--option", "DPkg::Lock::Timeout=5", "--option", "Acquire::Retries=3"}
	command := exec.CommandContext(ctx, aptGet, append(options, arguments...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "NEEDRESTART_MODE=l")
	// Out of the terminal's process group: Ctrl-C reaches apt-get through the context only.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopTime
	said, err := command.CombinedOutput()
	return string(said), err
}

// refusals are what apt-get and dpkg print, with LC_ALL=C, when another process holds a lock. apt-get names the holder
// where it can, dpkg in newer versions. Errors such as missing permissions read differently, and so does apt-get's own
// waiting.
var refusals = regexp.MustCompile(`(?m)^E: Could not get lock (\S+?)\.? (?:It is held by process (\d+)|- open \(11:)` +
	`|^dpkg: error: dpkg \S+ lock (?:is|was) locked by another process(?: with pid (\d+))?` +
	`|^dpkg: error: dpkg status database is locked by another process`)

// refusal reports whether apt-get failed because another process holds a lock, and returns what is known of it.
func refusal(said string) (holder, bool) {
	found := refusals.FindStringSubmatch(said)
	if found == nil {
		return holder{}, false
	}
	by := holder{lock: found[1]}
	for _, pid := range []string{found[2], found[3]} {
		if pid != "" {
			_, _ = fmt.Sscan(pid, &by.pid) // digits
		}
	}
	if by.lock == "" {
		by.lock = lockFiles()[0]
	}
	by.name = nameOf(by.pid)
	return by, true
}
