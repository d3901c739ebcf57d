package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mesh-conformance/hack/problem"
)

// holder is what a run writes into the lock file for whoever finds it taken.
type holder struct {
	Run   string    `json:"run"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// lock is held for as long as its file is open: the kernel frees it however the process ends.
type lock struct{ file *os.File }

// lockPath is also watched by the suite, which ends itself when the driver is gone.
func lockPath(cache string) string { return filepath.Join(cache, "run.lock") }

// takeLock makes this run the only one that uses the cache and its engine.
func takeLock(cache, run string) (*lock, error) {
	path := lockPath(cache)
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, problem.Environment("cannot open the run lock", path, "make the cache writable or set --cache", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = file.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, problem.Environment("cannot take the run lock", path, "", err)
		}
		return nil, problem.Environment("another run holds the lock", describeHolder(path), "wait for it or set another --cache", nil)
	}
	l := &lock{file: file}
	content, err := json.Marshal(holder{Run: run, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = file.WriteAt(content, 0)
	}
	if err != nil {
		return nil, problem.Environment("cannot write the run lock", path, "", errors.Join(err, l.release()))
	}
	return l, nil
}

func describeHolder(path string) string {
	content, err := os.ReadFile(filepath.Clean(path))
	var h holder
	if err != nil || json.Unmarshal(content, &h) != nil || h.PID == 0 {
		return "unknown run"
	}
	return fmt.Sprintf("run %s, process %d, since %s", h.Run, h.PID, h.Since.Format(time.RFC3339))
}

func (l *lock) release() error { return l.file.Close() }
