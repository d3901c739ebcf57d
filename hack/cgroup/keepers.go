package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Keepers is a control group of the processes that keep a run going: the driver, the suite and a private engine.
// They use little, but whatever they do late delays every cluster. Beside clusters that weigh more than one thread
// each, threads outside a group have been seen to wait for 100 ms on average, and once for two seconds.
type Keepers struct {
	in  hierarchy
	dir string
	// back is the folder of the group that each process came from.
	back map[int]string
	// proc is the folder of the kernel's process files.
	proc string
}

// keepersName returns the name of the control group for driver, suite and engine, from the name of the control group
// of their clusters.
func keepersName(clusters string) string { return clusters + "-keepers" }

// OpenKeepers makes the group that belongs to a group of clusters, for example "/mesh-conformance-1a2b3c4d", or
// takes over the one that a killed run left, and moves processes into it. What they start later is in it, too,
// unless it is put elsewhere.
func OpenKeepers(root, clusters string, pids ...int) (*Keepers, error) {
	in, err := find(root)
	if err != nil {
		return nil, err
	}
	if in.unified {
		// On version 2 a process that leaves its group leaves the limits of its session or container, too, those of memory
		// included.
		return &Keepers{}, nil
	}
	return openKeepers(in, "/proc", clusters, pids)
}

// RemoveKeepers removes the group that a killed run left; processes in it go to the top of the hierarchy.
func RemoveKeepers(root, clusters string) error {
	in, err := find(root)
	if err != nil {
		return nil // Where there is no hierarchy, there is no group.
	}
	return (&Keepers{in: in, dir: in.path(keepersName(clusters)), proc: "/proc"}).Close()
}

func openKeepers(in hierarchy, proc, clusters string, pids []int) (*Keepers, error) {
	k := &Keepers{in: in, dir: in.path(keepersName(clusters)), back: map[int]string{}, proc: proc}
	if err := in.mkdir(k.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the control group of driver and engine: %w", err)
	}
	for _, pid := range pids {
		from, err := k.groupOf(pid)
		if err == nil {
			err = write(k.procs(k.dir), strconv.Itoa(pid))
		}
		// A process that has ended in the meantime needs no place.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrProcessDone) {
			continue
		}
		if err != nil {
			return nil, errors.Join(k.Close(),
				fmt.Errorf("move process %d into the control group of driver and engine: %w", pid, err))
		}
		// A process that a killed run left in this group goes to the top of the hierarchy at the end, because its first
		// group is unknown.
		if from == k.dir {
			from = in.dir
		}
		k.back[pid] = from
	}
	return k, nil
}

func (k *Keepers) procs(dir string) string { return filepath.Join(dir, "cgroup.procs") }

// groupOf returns the folder of the group that a process is in.
func (k *Keepers) groupOf(pid int) (string, error) {
	text, err := os.ReadFile(filepath.Join(k.proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		// hierarchy-id:controllers:path (cgroups(7)).
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), "cpu") {
			return filepath.Join(k.in.dir, fields[2]), nil
		}
	}
	return "", fmt.Errorf("process %d is in no control group of processors", pid)
}

// Close moves each process back to where it came from, and what they started to the top of the hierarchy, and
// removes the group.
func (k *Keepers) Close() error {
	if k.dir == "" {
		return nil
	}
	text, err := os.ReadFile(k.procs(k.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		to, ok := k.back[pid]
		if !ok {
			to = k.in.dir
		}
		if err := write(k.procs(to), field); err != nil && to != k.in.dir {
			// Its group may be gone.
			_ = write(k.procs(k.in.dir), field)
		}
	}
	if err := k.in.rmdir(k.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the control group of driver and engine: %w", err)
	}
	return nil
}
