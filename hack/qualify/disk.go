package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"mesh-conformance/hack/problem"
)

const gibibyte = 1 << 30

// Free space that a run needs where it writes, from measurement with a margin: cold, the Go caches take
// 10 GiB, artifacts and engine 9 GiB; five clusters at once take 12 GiB, each with the images in its node.
const (
	coldNeed = 32 * gibibyte
	warmNeed = 14 * gibibyte
)

// diskNeed is what a run of one cell needs.
func diskNeed(cache string) uint64 {
	if _, err := os.Stat(filepath.Join(cache, "artifacts")); err != nil {
		return coldNeed
	}
	return warmNeed
}

// checkDisk refuses to begin what would end with a full disk.
func checkDisk(_ context.Context, dir string, need uint64) error {
	existing := dir
	for {
		if _, err := os.Stat(existing); err == nil || existing == filepath.Dir(existing) {
			break
		}
		existing = filepath.Dir(existing)
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(existing, &stat); err != nil {
		return problem.Environment("cannot read the free disk space", existing, "", err)
	}
	return enough(dir, stat.Bavail*uint64(stat.Bsize), need)
}

// enough compares free with needed bytes.
func enough(dir string, free, need uint64) error {
	if free >= need {
		return nil
	}
	return problem.Environment(fmt.Sprintf("too little disk space: %.1f GiB free, %.1f GiB needed, %.1f GiB missing",
		float64(free)/gibibyte, float64(need)/gibibyte, float64(need-free)/gibibyte), dir, "free some or set --cache to a larger disk", nil)
}
