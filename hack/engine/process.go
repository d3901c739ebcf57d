package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// procRoot is the kernel's list of processes.
const procRoot = "/proc"

// termTimeout is how long the daemon may take to end in order: it gives each container 10 s.
const termTimeout = 30 * time.Second

// killTimeout is how long a killed process may take to vanish.
const killTimeout = 10 * time.Second

// The programs an engine consists of.
var (
	daemonPrograms = []string{"dockerd"}
	helperPrograms = []string{"containerd", "containerd-shim", "containerd-shim-runc-v1", "containerd-shim-runc-v2"}
)

// commandLine is a process's arguments; a process that is gone, or is dead and not yet
// buried, has none.
func commandLine(proc string, pid int) []string {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimSuffix(text, []byte{0})), "\x00")
}

// owns says whether arguments are those of one of the programs, working in this engine's run
// directory. A pid in a file proves nothing: the number may be another program's by now.
func (l layout) owns(arguments []string, programs []string) bool {
	if len(arguments) == 0 || !slices.Contains(programs, filepath.Base(arguments[0])) {
		return false
	}
	inside := l.run() + "/"
	return slices.ContainsFunc(arguments[1:], func(argument string) bool {
		_, value, attached := strings.Cut(argument, "=")
		return strings.HasPrefix(argument, inside) || attached && strings.HasPrefix(value, inside)
	})
}

// processes finds this engine's processes among all, without trusting any pid file.
func (l layout) processes(proc string, programs []string) []int {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && l.owns(commandLine(proc, pid), programs) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// daemon gives the pid of this engine's daemon, if it runs.
func (l layout) daemon() (int, bool) {
	pids := l.processes(procRoot, daemonPrograms)
	if len(pids) == 0 {
		return 0, false
	}
	return pids[0], true
}

// errProcessEnded is the death of a private engine.
var errProcessEnded = errors.New("its process has ended")

// stillRuns is nil while a pid is this engine's daemon.
func (l layout) stillRuns(pid int) error {
	if l.owns(commandLine(procRoot, pid), daemonPrograms) {
		return nil
	}
	return errProcessEnded
}

// end sends a signal to every process of this engine that is one of the programs, and waits until they are
// gone. It reports those that are not.
func (l layout) end(ctx context.Context, programs []string, signal unix.Signal, most time.Duration) error {
	for _, pid := range l.processes(procRoot, programs) {
		l.signal(pid, programs, signal)
	}
	return until(ctx, most, func() error {
		if left := l.processes(procRoot, programs); len(left) > 0 {
			return fmt.Errorf("processes %v of the private engine do not end", left)
		}
		return nil
	})
}

// signal reaches the process that is looked at, and no later owner of its number: the
// process is held (by a pid file descriptor) before its arguments are read.
func (l layout) signal(pid int, programs []string, signal unix.Signal) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer process.Release() // nothing to do about it
	if l.owns(commandLine(procRoot, pid), programs) {
		// A process that has ended meanwhile is what is wanted.
		_ = process.Signal(signal)
	}
}

// until polls until a condition holds; it gives what the condition last complained of.
func until(ctx context.Context, most time.Duration, holds func() error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-poll.C:
		}
	}
}

// otherDaemons says whether another Docker works in this network namespace: chains and
// policies of the packet filter are then also its own.
func (l layout) otherDaemons(proc string) bool {
	mine, err := os.Readlink(filepath.Join(proc, "self", "ns", "net"))
	if err != nil {
		return true
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return true
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		arguments := commandLine(proc, pid)
		if len(arguments) == 0 || !slices.Contains(daemonPrograms, filepath.Base(arguments[0])) || l.owns(arguments, daemonPrograms) {
			continue
		}
		if theirs, err := os.Readlink(filepath.Join(proc, entry.Name(), "ns", "net")); err != nil || theirs == mine {
			return true
		}
	}
	return false
}
