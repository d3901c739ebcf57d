package apt

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockFiles returns the files whose locks apt-get and dpkg take (apt 2.6, Debian 12). All are fcntl locks.
func lockFiles() []string {
	return []string{
		"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock",
	}
}

// holder is a process that holds a lock. The pid is 0 where the process is in a namespace that hides it.
type holder struct {
	pid        int
	name, lock string
}

func (h holder) String() string {
	switch {
	case h.pid == 0:
		return "another process holds " + h.lock
	case h.name == "":
		return fmt.Sprintf("process %d holds %s", h.pid, h.lock)
	default:
		return fmt.Sprintf("process %d (%s) holds %s", h.pid, h.name, h.lock)
	}
}

// held returns the first of the locks that another process holds, and its holder. A lock file that is not there, or
// that this user may not read, has no holder: apt-get says then what is wrong.
func held(locks []string) (holder, bool) {
	for _, lock := range locks {
		if pid, taken := heldBy(lock); taken {
			return holder{pid: pid, name: nameOf(pid), lock: lock}, true
		}
	}
	return holder{}, false
}

func heldBy(lock string) (pid int, taken bool) {
	file, err := os.Open(lock)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	wanted := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &wanted); err != nil || wanted.Type == unix.F_UNLCK {
		return 0, false
	}
	return max(0, int(wanted.Pid)), true
}

// nameOf returns the name that the kernel has for a process, at most 15 bytes, or nothing.
func nameOf(pid int) string {
	if pid == 0 {
		return ""
	}
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// wait is the waiting of one call of apt-get for other processes.
type wait struct {
	log   func(format string, args ...any)
	locks []string
	most  time.Duration

	told map[int]bool // the pids that a line was written about
	// begun is when the wait began that is not over, or zero; free is when the locks were last seen without a holder.
	begun, free time.Time
	waited      time.Duration // of waits that are over
}

func (r Runner) wait() *wait {
	w := &wait{log: r.Log, locks: r.locks, most: r.patience, told: map[int]bool{}}
	if w.log == nil {
		w.log = func(string, ...any) {}
	}
	if w.locks == nil {
		w.locks = lockFiles()
	}
	if w.most == 0 {
		w.most = patience
	}
	return w
}

// untilFree returns when no other process holds a lock.
func (w *wait) untilFree(ctx context.Context) error {
	for looked := false; ; looked = true {
		by, taken := held(w.locks)
		if !taken {
			w.free = time.Now()
			if looked {
				w.end()
			}
			return ctx.Err()
		}
		if err := w.pause(ctx, by); err != nil {
			return err
		}
	}
}

// pause waits a moment for a holder. The error says that the time for all waiting is over.
func (w *wait) pause(ctx context.Context, by holder) error {
	if w.begun.IsZero() {
		w.begun = time.Now()
	}
	if total := w.waited + time.Since(w.begun); total >= w.most {
		return fmt.Errorf("%s, still after %s", by, total.Round(time.Second))
	}
	if !w.told[by.pid] {
		w.told[by.pid] = true
		w.log("apt-get waits: %s", by)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait because %s: %w", by, context.Cause(ctx))
	case <-time.After(pollInterval):
		return nil
	}
}

// end writes how long apt-get has waited until the locks were free, if it has.
func (w *wait) end() {
	if w.begun.IsZero() {
		return
	}
	took := w.free.Sub(w.begun)
	w.begun, w.waited = time.Time{}, w.waited+took
	w.log("apt-get goes on after %s of waiting", took.Round(time.Second))
}
