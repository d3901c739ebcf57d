package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage returns the processor time that the processes of a group of the first level, for example
// "/mesh-conformance-1a2b3c4d", and of all groups below it have used so far. The error says why the machine does not
// tell.
func Usage(root, group string) (time.Duration, error) {
	// Version 1 accounts apart from the cpu controller, unless both are mounted together.
	for _, name := range []string{"cpuacct", "cpu,cpuacct", "cpuacct,cpu"} {
		text, err := os.ReadFile(filepath.Join(root, name, group, "cpuacct.usage"))
		if err != nil {
			continue
		}
		nanoseconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read what a control group has used: %w", err)
		}
		return time.Duration(nanoseconds), nil
	}
	text, err := os.ReadFile(filepath.Join(root, group, "cpu.stat"))
	if err != nil {
		return 0, fmt.Errorf("read what a control group has used: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "usage_usec "); found {
			microseconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read what a control group has used: %w", err)
			}
			return time.Duration(microseconds) * time.Microsecond, nil
		}
	}
	return 0, fmt.Errorf("%s does not say what was used", filepath.Join(root, group, "cpu.stat"))
}
