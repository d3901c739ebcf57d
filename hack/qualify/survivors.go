package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"mesh-conformance/hack/problem"
)

// jobFlag is how the suite and Ginkgo's processes are told their job, and how they are recognised.
func jobFlag(path string) string { return "--job=" + path }

// endSurvivors ends the suite of a run whose driver was killed. It is about to end by itself, but
// would remove the cluster of the same name that the next run makes. The caller holds the lock, so
// there is no driver that these processes could belong to.
func endSurvivors(job string, say func(string, ...any)) error {
	if job == "" {
		return nil
	}
	for begun := time.Now(); ; time.Sleep(lockPause) {
		left := processesOf("/proc", job)
		if len(left) == 0 {
			return nil
		}
		if time.Since(begun) > lockPatience {
			return problem.Environment("processes of a killed run do not end", fmt.Sprint(left), "end them by hand", nil)
		}
		for _, pid := range left {
			// The handle stays with this process should its number be used again.
			process, err := os.FindProcess(pid)
			if err != nil || !runsJob("/proc", pid, job) {
				continue
			}
			if process.Signal(syscall.SIGKILL) == nil {
				say("ended process %d, left by a killed run", pid)
			}
			_ = process.Release()
		}
	}
}

// processesOf lists the processes that were started with a job.
func processesOf(proc, job string) []int {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && runsJob(proc, pid, job) {
			found = append(found, pid)
		}
	}
	return found
}

// runsJob looks for the flag as one whole argument. A process that has ended has no arguments.
func runsJob(proc string, pid int, job string) bool {
	line, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	return err == nil && slices.ContainsFunc(bytes.Split(line, []byte{0}), func(argument []byte) bool {
		return string(argument) == jobFlag(job)
	})
}
