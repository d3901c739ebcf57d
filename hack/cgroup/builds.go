package cgroup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Builds is the control group that the builds of one cache run in. Its weight is ordinary until Yield lowers it.
type Builds struct {
	in  hierarchy
	dir string
}

// buildsPrefix begins the names of the groups. It differs from the prefix of the private engine's group, which the
// engine removes with everything in it.
const buildsPrefix = "mesh-conformance-builds-"

func buildsName(cache string) string {
	sum := sha256.Sum256([]byte(cache))
	return buildsPrefix + hex.EncodeToString(sum[:4])
}

// OpenBuilds makes the group for a cache, or takes over the one that a killed run left, with an ordinary weight. Root
// is Root, except in tests. The error says why the machine has no such group: then no build may run beside specs.
func OpenBuilds(root, cache string) (*Builds, error) {
	in, err := find(root)
	if err != nil {
		return nil, err
	}
	return openBuilds(in, cache)
}

func openBuilds(in hierarchy, cache string) (_ *Builds, err error) {
	b := &Builds{in: in, dir: in.path(buildsName(cache))}
	if err := in.mkdir(b.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = in.rmdir(b.dir)
		}
	}()
	if err := b.haveController(); err != nil {
		return nil, err
	}
	if err := b.Resume(); err != nil {
		return nil, err
	}
	// The kernel refuses processes for more reasons than a test of the files can show.
	name, args := b.Command("sh", []string{"-c", `grep -q "^$$\$" "$0"`, b.procs()})
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s takes no process: %w %s", b.procs(), err, strings.TrimSpace(string(output)))
	}
	return b, nil
}

// haveController enables the cpu controller for the groups of the first level where version 2 does not have it
// enabled, as container engines do. It stays enabled, because other groups may use it by the time that this one is
// removed.
func (b *Builds) haveController() error {
	file := filepath.Join(b.dir, b.in.weightFile())
	_, err := os.Stat(file)
	if err == nil || !b.in.unified {
		return err
	}
	if err := write(filepath.Join(b.in.dir, "cgroup.subtree_control"), "+cpu"); err != nil {
		return fmt.Errorf("enable the cpu controller: %w", err)
	}
	_, err = os.Stat(file)
	return err
}

func (b *Builds) procs() string { return filepath.Join(b.dir, "cgroup.procs") }

// Yield makes the group give way to everything else on the machine. Processes that run in it do so at once.
//
// Where the kernel has cpu.idle, that is better than the lowest weight alone: a thread outside the group that wakes
// up takes the core at once instead of after the builder's time slice. In both ways the group still gets its small
// share, and all of an idle machine.
func (b *Builds) Yield() error {
	if write(filepath.Join(b.dir, "cpu.idle"), "1") != nil {
		if err := b.in.setWeight(b.dir, b.in.least()); err != nil {
			return err
		}
	}
	b.yieldDisk()
	return nil
}

// yieldDisk gives the threads in the group the idle class of the disk, where util-linux and the disk's scheduler know
// it. They keep it: with no one else at the disk, that class gets all of it.
func (b *Builds) yieldDisk() {
	threads, err := os.ReadFile(filepath.Join(b.dir, b.in.threadsFile()))
	if ids := strings.Fields(string(threads)); err == nil && len(ids) > 0 {
		_ = exec.Command("ionice", append([]string{"-c", idleClass, "-t", "-p"}, ids...)...).Run()
	}
}

// idleClass is the disk's idle class in ionice's arguments.
const idleClass = "3"

// Resume gives the group an ordinary weight: as much as one thread for each core.
func (b *Builds) Resume() error {
	// The kernel refuses another weight while a group is idle.
	if err := write(filepath.Join(b.dir, "cpu.idle"), "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return b.in.setWeight(b.dir, b.in.times(runtime.NumCPU()))
}

// Command returns the command that starts another one inside the group. The shell enters the group before it becomes
// the program, so that no child of the program is outside. Both versions allow that; only version 2 has a flag for it
// at the start of a process.
func (b *Builds) Command(name string, args []string) (string, []string) {
	return "sh", append([]string{"-c", `echo $$ >"$0"; exec "$@"`, b.procs(), name}, args...)
}

// CommandAtIdleDisk is Command for a program that is started while specs run: the program uses the disk only when no
// other program does.
func (b *Builds) CommandAtIdleDisk(name string, args []string) (string, []string) {
	if _, err := exec.LookPath("ionice"); err != nil {
		return b.Command(name, args)
	}
	return b.Command("ionice", append([]string{"-c", idleClass, "-t", name}, args...))
}

// Threads returns the ids of the threads in the group, so that measurements of the machine can leave them out.
func (b *Builds) Threads() ([]string, error) {
	threads, err := os.ReadFile(filepath.Join(b.dir, b.in.threadsFile()))
	return strings.Fields(string(threads)), err
}

// A killed process stays in its group for some milliseconds.
const (
	closePatience = time.Second
	closePoll     = 20 * time.Millisecond
)

// Close removes the group if no process is in it. The next run of the same cache takes over one that is not empty.
func (b *Builds) Close() error {
	var err error
	for end := time.Now().Add(closePatience); time.Now().Before(end); time.Sleep(closePoll) {
		if err = b.in.rmdir(b.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("remove the control group of builds: %w", err)
}
