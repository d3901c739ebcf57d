package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mesh-conformance/hack/problem"
)

// cgroupRoot is where the control groups' hierarchies are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// stopPrivate ends the engine and gives the machine back as it was.
func stopPrivate(ctx context.Context, options Options, at layout) error {
	if pid, runs := at.daemon(); runs {
		options.Log("stopping the private engine, process %d", pid)
		if err := at.endInOrder(ctx, options, pid); err != nil {
			options.Log("it does not end in order (%v); killing it", err)
		}
	}
	if err := sweep(ctx, options, at); err != nil {
		return err
	}
	if found, known := readBefore(at); known && !at.otherDaemons(procRoot) {
		found.removeByproducts()
	}
	if err := os.RemoveAll(at.run()); err != nil {
		return fmt.Errorf("remove the engine's run directory: %w", err)
	}
	return nil
}

// endInOrder lets a daemon that answers clear up, and asks it to end.
func (l layout) endInOrder(ctx context.Context, options Options, pid int) error {
	if _, err := os.Stat(l.socket()); err == nil {
		engine, err := l.wait(ctx, askTimeout, func() error { return l.stillRuns(pid) })
		if err != nil {
			return err
		}
		engine.empty(ctx, options)
	}
	return l.end(ctx, daemonPrograms, unix.SIGTERM, termTimeout)
}

// empty removes the engine's containers, networks and volumes: nothing but images is worth
// keeping. A container in the way of a later run would also be started with the engine.
func (e *Engine) empty(ctx context.Context, options Options) {
	listed, err := e.Docker(ctx, "ps", "--all", "--quiet").Output()
	if containers := strings.Fields(string(listed)); err == nil && len(containers) > 0 {
		options.Log("removing containers: %d", len(containers))
		err = e.Docker(ctx, append([]string{"rm", "--force", "--volumes"}, containers...)...).Run()
	}
	for _, kind := range []string{"network", "volume"} {
		err = errors.Join(err, e.Docker(ctx, kind, "prune", "--force").Run())
	}
	if err != nil && ctx.Err() == nil {
		options.Log("the private engine did not remove all it holds: %v", err)
	}
}

// sweep kills what is left of an engine and removes what it left in the kernel, in whatever
// state that is. What it removes, the next start makes anew. It cannot be interrupted: that
// would leave the machine worse than waiting a moment does.
func sweep(ctx context.Context, options Options, at layout) error {
	ctx = context.WithoutCancel(ctx)
	if err := at.end(ctx, daemonPrograms, unix.SIGKILL, killTimeout); err != nil {
		return problem.Environment("the private container engine cannot be ended", "", "restart the machine", err)
	}
	// Containers first: while their shims live, somebody buries them.
	groups := at.cgroups(cgroupRoot)
	if err := until(ctx, killTimeout, func() error { return killGroups(groups) }); err != nil {
		return problem.Environment("a container of the private engine cannot be ended", "", "restart the machine", err)
	}
	if err := at.end(ctx, helperPrograms, unix.SIGKILL, killTimeout); err != nil {
		return problem.Environment("the private container engine cannot be ended", "", "restart the machine", err)
	}
	if err := until(ctx, killTimeout, func() error { return removeGroups(groups) }); err != nil {
		options.Log("control groups stay: %v", err)
	}
	if err := unmountBelow(at.run(), at.data()); err != nil {
		return err
	}
	bridges, err := at.bridges()
	if err != nil {
		return err
	}
	if err := sweepRules(ctx, at, bridges); err != nil {
		return err
	}
	if err := removeBridges(ctx, bridges); err != nil {
		return fmt.Errorf("remove the engine's bridges: %w", err)
	}
	for _, path := range []string{at.exec(), at.socket(), at.pidFile(), at.config(), at.readyFile()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what a killed engine left: %w", err)
		}
	}
	return nil
}

// sweepRules takes the engine's rules out of the packet filters, and forwarding back, which
// the daemon opened when it closed the FORWARD chain.
func sweepRules(ctx context.Context, at layout, bridges []string) error {
	found, known := readBefore(at)
	// Without a record of the machine as it was, only what names this engine is its own.
	shared := !known || at.otherDaemons(procRoot)
	of := func(filter string) trace { return found.traceOf(at, filter, bridges, shared) }
	if err := removeRules(ctx, of); err != nil {
		return err
	}
	if shared {
		return nil
	}
	return errors.Join(found.restoreForwarding(), found.restoreWatchers(watcherLimit))
}

// cgroups are the folders of this engine's control group, one per hierarchy.
func (l layout) cgroups(root string) []string {
	var groups []string
	for _, pattern := range []string{root + l.cgroup(), filepath.Join(root, "*"+l.cgroup())} {
		// The pattern is a constant and well formed.
		found, _ := filepath.Glob(pattern)
		groups = append(groups, found...)
	}
	return groups
}

// killGroups kills every process in the groups; it complains until there is none.
func killGroups(groups []string) error {
	left := 0
	for _, group := range groups {
		for _, folder := range foldersBelow(group) {
			text, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
			if err != nil {
				continue // gone, or a threaded group whose parent lists its processes
			}
			for _, word := range strings.Fields(string(text)) {
				pid, err := strconv.Atoi(word)
				if err != nil || pid <= 0 {
					continue
				}
				left++
				_ = unix.Kill(pid, unix.SIGKILL) // in our group a moment ago: ours
			}
		}
	}
	if left > 0 {
		return fmt.Errorf("%d processes are left in its control groups", left)
	}
	return nil
}

// removeGroups removes the groups, the innermost first.
func removeGroups(groups []string) error {
	var failures []error
	for _, group := range groups {
		folders := foldersBelow(group)
		slices.Reverse(folders)
		for _, folder := range folders {
			if err := unix.Rmdir(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failures = append(failures, fmt.Errorf("remove %s: %w", folder, err))
			}
		}
	}
	return errors.Join(failures...)
}

// foldersBelow lists a folder and all below it, outer ones first.
func foldersBelow(root string) []string {
	var folders []string
	// Groups vanish while they are listed; what is left is listed next time.
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil
	})
	return folders
}

// unmountBelow unmounts everything at or below some folders, the latest mounted first.
func unmountBelow(folders ...string) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read what is mounted: %w", err)
	}
	defer file.Close()
	var points []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20) // overlay mounts of many layers make long lines
	for lines.Scan() {
		if point, found := mountPoint(lines.Text()); found && isBelow(point, folders) {
			points = append(points, point)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read what is mounted: %w", err)
	}
	slices.Reverse(points)
	for _, point := range points {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// escapes are how the kernel writes blanks in a mount's path.
var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountPoint is the fifth word of a line of mountinfo.
func mountPoint(line string) (string, bool) {
	words := strings.Fields(line)
	if len(words) < 5 {
		return "", false
	}
	return escapes.Replace(words[4]), true
}

func isBelow(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}
