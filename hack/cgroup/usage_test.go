package cgroup

import (
	"path/filepath"
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       time.Duration
		fails      bool
	}{
		"version 1":               {"cpuacct/clusters/cpuacct.usage", "1500000000\n", 1500 * time.Millisecond, false},
		"version 1, as systemd":   {"cpu,cpuacct/clusters/cpuacct.usage", "7\n", 7, false},
		"version 2":               {"clusters/cpu.stat", "usage_usec 2500\nuser_usec 2000\n", 2500 * time.Microsecond, false},
		"version 2 without usage": {"clusters/cpu.stat", "nr_periods 0\n", 0, true},
		"no such group":           {"other/cpu.stat", "usage_usec 1\n", 0, true},
	} {
		root := t.TempDir()
		put(t, filepath.Join(root, c.file), c.text)
		if got, err := Usage(root, "/clusters"); got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
