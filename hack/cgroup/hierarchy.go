// Package cgroup divides the processors between builds, clusters and everything else on the machine. It uses the cpu
// controller of control groups, version 1 or 2.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Root is where Linux mounts control groups.
const Root = "/sys/fs/cgroup"

// hierarchy is the tree of control groups that has the cpu controller.
type hierarchy struct {
	// dir is the mount point.
	dir string
	// unified means version 2.
	unified bool
	// mkdir and rmdir make and remove a group. In the kernel's file systems a new folder has its files at once.
	mkdir, rmdir func(dir string) error
}

// find returns the hierarchy below root, a folder like Root, that has the cpu controller.
func find(root string) (hierarchy, error) {
	h := hierarchy{
		mkdir: func(dir string) error { return os.Mkdir(dir, 0o755) },
		rmdir: os.Remove,
	}
	if controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers")); err == nil {
		if !slices.Contains(strings.Fields(string(controllers)), "cpu") {
			return h, fmt.Errorf("%s does not list the cpu controller", filepath.Join(root, "cgroup.controllers"))
		}
		h.dir, h.unified = root, true
		return h, nil
	}
	// Version 1 mounts the controllers apart; distributions mount cpu and cpuacct together.
	for _, name := range []string{"cpu", "cpu,cpuacct", "cpuacct,cpu"} {
		if _, err := os.Stat(filepath.Join(root, name, "cpu.shares")); err == nil {
			h.dir = filepath.Join(root, name)
			return h, nil
		}
	}
	return h, fmt.Errorf("no cpu controller is mounted below %s", root)
}

// path returns the folder of a group of the first level.
func (h hierarchy) path(group string) string { return filepath.Join(h.dir, group) }

// The weights of a group: the least and the most that the kernel takes, and the one that a new group has. A thread
// outside all groups of its level weighs as much as a new group.
const (
	leastShares, ordinaryShares, mostShares = 2, 1024, 262144 // version 1
	leastWeight, ordinaryWeight, mostWeight = 1, 100, 10000   // version 2
)

// times returns n times the weight of a new group, within the kernel's bounds; n below 1 counts as 1.
func (h hierarchy) times(n int) int {
	if h.unified {
		return min(ordinaryWeight*max(1, n), mostWeight)
	}
	return min(ordinaryShares*max(1, n), mostShares)
}

func (h hierarchy) least() int {
	if h.unified {
		return leastWeight
	}
	return leastShares
}

// weightFile is the name of the file that holds a group's weight.
func (h hierarchy) weightFile() string {
	if h.unified {
		return "cpu.weight"
	}
	return "cpu.shares"
}

// setWeight sets the weight of the group in dir.
func (h hierarchy) setWeight(dir string, weight int) error {
	return write(filepath.Join(dir, h.weightFile()), strconv.Itoa(weight))
}

// threadsFile is the name of the file that lists a group's threads, one id a line.
func (h hierarchy) threadsFile() string {
	if h.unified {
		return "cgroup.threads"
	}
	return "tasks"
}

// write writes to a file of the kernel. It never creates one: a file that is missing means that the controller is.
func write(path, value string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}
