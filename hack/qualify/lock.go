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
	// Job is the file its suite was started with; the suite outlives a killed driver by it.
	Job string `json:"job,omitempty"`
}

// lock is held for as long as its file is open: the kernel frees it however the process ends.
type lock struct {
	file *os.File
	self holder
	// before is who held the lock last.
	before holder
}

// A suite whose driver was killed holds the lock for a moment while it notices.
const (
	lockPatience = 2 * time.Second
	lockPause    = 50 * time.Millisecond
)

// lockPath is also watched by the suite, which ends itself when the driver is gone.
func lockPath(cache string) string { return filepath.Join(cache, "run.lock") }

// takeLock makes this run the only one that uses the cache and its engine.
func takeLock(cache, run string) (*lock, error) {
	path := lockPath(cache)
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, problem.Environment("cannot open the run lock", path, "make the cache writable or set --cache", err)
	}
	err = flock(file, lockPatience)
	before := readHolder(path)
	if err != nil {
		defer func() { _ = file.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, problem.Environment("cannot take the run lock", path, "", err)
		}
		return nil, problem.Environment("another run holds the lock", before.String(), "wait for it or set another --cache", nil)
	}
	l := &lock{
		file: file, before: before,
		self: holder{Run: run, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)},
	}
	if err := l.write(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// flock takes the lock of an open file. It waits only where the process that took it is gone.
func flock(file *os.File, patience time.Duration) error {
	for begun := time.Now(); ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK), time.Since(begun) > patience, readHolder(file.Name()).alive():
			return err
		}
		time.Sleep(lockPause)
	}
}

// write says in the lock file who holds it.
func (l *lock) write() error {
	content, err := json.Marshal(l.self)
	if err == nil {
		err = l.file.Truncate(0)
	}
	if err == nil {
		_, err = l.file.WriteAt(content, 0)
	}
	if err != nil {
		return problem.Environment("cannot write the run lock", l.file.Name(), "", err)
	}
	return nil
}

// starts notes the job whose suite is about to run.
func (l *lock) starts(job string) error {
	l.self.Job = job
	return l.write()
}

func (l *lock) release() error { return l.file.Close() }

// readHolder is the zero holder where the file says nothing.
func readHolder(path string) holder {
	var h holder
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil || json.Unmarshal(content, &h) != nil {
		return holder{}
	}
	return h
}

// alive says whether the process exists, whoever owns it.
func (h holder) alive() bool {
	return h.PID > 0 && !errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH)
}

func (h holder) String() string {
	if h.PID == 0 {
		return "unknown run"
	}
	return fmt.Sprintf("run %s, process %d, since %s", h.Run, h.PID, h.Since.Format(time.RFC3339))
}
