package engine

import (
	"os"
	"path/filepath"
	"strconv"
)

// share is what all containers together weigh against one process outside of them, whose weight is 1024: with
// the default, the same, a busy program of the machine would get as much of the processors as five clusters.
const share = 8192

// favour makes the engine's control group, before its daemon does, and gives it the share, where the machine has control groups
// of version 1 and lets us. Elsewhere clusters are slower beside other programs, and nothing else.
func (l layout) favour(root string) {
	// The pattern is a constant and well formed.
	files, _ := filepath.Glob(filepath.Join(root, "*", "cpu.shares"))
	for _, file := range files {
		group := filepath.Join(filepath.Dir(file), l.cgroup())
		if err := os.Mkdir(group, 0o755); err != nil && !os.IsExist(err) {
			continue
		}
		_ = os.WriteFile(filepath.Join(group, "cpu.shares"), []byte(strconv.Itoa(share)), 0o644)
	}
}
