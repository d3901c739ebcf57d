package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// weighEvery is how often Weigh counts: a cluster takes several seconds to become busy.
const weighEvery = time.Second

// Weigh keeps the weight of a group of the first level, for example "/mesh-conformance-1a2b3c4d", in step with the
// number of groups right below it, until ctx ends. Each of these is a container, and a container is a cluster. So a
// cluster weighs as much as one thread outside the group, up to one thread for each core: beside clusters that weigh
// more, everything else of the machine has been seen to wait for a core for seconds. At the end the group has the
// weight of a new one again.
//
// The group that OpenKeepers made for these clusters gets the same weight, where there is one.
//
// A group that does not exist yet, or no more, is waited for. The error says why the machine has no weights; then
// nothing was changed.
func Weigh(ctx context.Context, root, group string) error {
	in, err := find(root)
	if err != nil {
		return err
	}
	tick := time.NewTicker(weighEvery)
	defer tick.Stop()
	in.weigh(ctx, in.path(group), in.path(keepersName(group)), runtime.NumCPU(), tick.C)
	return nil
}

func (h hierarchy) weigh(ctx context.Context, clusters, keepers string, cores int, tick <-chan time.Time) {
	changed := map[string]bool{}
	for {
		want := h.times(min(groupsIn(clusters), cores))
		for _, dir := range []string{keepers, clusters} {
			if h.weight(dir) != want && h.setWeight(dir, want) == nil {
				changed[dir] = true
			}
		}
		select {
		case <-tick:
		case <-ctx.Done():
			for dir := range changed {
				// The group may be gone with its clusters.
				_ = h.setWeight(dir, h.times(1))
			}
			return
		}
	}
}

// groupsIn returns how many groups are right below the one in dir.
func groupsIn(dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	count := 0
	for _, entry := range entries {
		if entry.IsDir() {
			count++
		}
	}
	return count
}

// weight returns the weight of the group in dir, 0 if it has none.
func (h hierarchy) weight(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, h.weightFile()))
	if err != nil {
		return 0
	}
	weight, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return weight
}
