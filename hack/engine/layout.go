package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// runParent is where sockets live: paths of unix sockets end at 108 bytes, a state
// directory may be longer, and what is here does not outlive the machine's next start.
const runParent = "/run"

// layout names everything a private engine owns. All names follow from its home.
type layout struct {
	home string
	id   string
}

func layoutOf(home string) layout {
	sum := sha256.Sum256([]byte(home))
	return layout{home: home, id: hex.EncodeToString(sum[:4])}
}

// In the home, kept over Stop.
func (l layout) data() string        { return filepath.Join(l.home, "data") }
func (l layout) bin() string         { return filepath.Join(l.home, "bin") }
func (l layout) log() string         { return filepath.Join(l.home, "dockerd.log") }
func (l layout) previousLog() string { return filepath.Join(l.home, "dockerd.previous.log") }
func (l layout) poolFile() string    { return filepath.Join(l.home, "pool") }
func (l layout) lockFile() string    { return filepath.Join(l.home, "lock") }

// In the run directory, gone after Stop.
func (l layout) run() string        { return filepath.Join(runParent, "mesh-conformance-"+l.id) }
func (l layout) exec() string       { return filepath.Join(l.run(), "exec") }
func (l layout) socket() string     { return filepath.Join(l.run(), "docker.sock") }
func (l layout) pidFile() string    { return filepath.Join(l.run(), "dockerd.pid") }
func (l layout) config() string     { return filepath.Join(l.run(), "daemon.json") }
func (l layout) beforeFile() string { return filepath.Join(l.run(), "before.json") }

// runPoolFile repeats the pool file, for when the home is deleted while the engine runs.
func (l layout) runPoolFile() string { return filepath.Join(l.run(), "pool") }

// readyFile says that the daemon which runs has been made ready to use.
func (l layout) readyFile() string { return filepath.Join(l.run(), "ready") }

// In the kernel.
func (l layout) host() string       { return "unix://" + l.socket() }
func (l layout) bridge() string     { return "mc-" + l.id } // at most 15 bytes
func (l layout) cgroup() string     { return "/mesh-conformance-" + l.id }
func (l layout) containerd() string { return "mesh-conformance-" + l.id } // containerd's namespace

// exists says whether there is anything to stop: a machine that was started since has nothing.
func (l layout) exists() bool {
	if _, err := os.Stat(l.run()); err == nil {
		return true
	}
	return len(l.processes(procRoot, slices.Concat(daemonPrograms, helperPrograms))) > 0
}

// intact says whether a daemon that runs still has its data: who clears a cache folder does
// not know that an engine lives in it, and the daemon does not notice.
func (l layout) intact() bool {
	_, err := os.Stat(filepath.Join(l.data(), "containers"))
	return err == nil
}

// lockPoll is how often a waiting process asks for the lock again.
const lockPoll = 100 * time.Millisecond

// lock keeps other processes from starting or stopping the same engine. It ends with the
// process, however that ends.
func (l layout) lock(ctx context.Context) (*homeLock, error) {
	if err := os.MkdirAll(l.home, 0o755); err != nil {
		return nil, fmt.Errorf("make the engine's state directory: %w", err)
	}
	file, err := os.OpenFile(l.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the engine's lock: %w", err)
	}
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &homeLock{file}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock the engine's state directory %s: %w", l.home, err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("wait for another process that starts or stops the engine: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

type homeLock struct{ file *os.File }

func (h *homeLock) release() { h.file.Close() }
