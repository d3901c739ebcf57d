package cgroup

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	for _, c := range []struct{ n, shares, weight int }{
		{-1, 1024, 100}, {0, 1024, 100}, {1, 1024, 100}, {5, 5120, 500},
		{100, 102400, 10000}, {101, 103424, 10000}, {1000, 262144, 10000},
	} {
		if got := (hierarchy{}).times(c.n); got != c.shares {
			t.Errorf("version 1, %d: %d, want %d", c.n, got, c.shares)
		}
		if got := (hierarchy{unified: true}).times(c.n); got != c.weight {
			t.Errorf("version 2, %d: %d, want %d", c.n, got, c.weight)
		}
	}
}

func TestWeighFollowsTheClusters(t *testing.T) {
	for version, want := range map[int][]string{
		1: {"1024", "3072", "1024", "2048", "1024"},
		2: {"100", "300", "100", "200", "100"},
	} {
		h := fake(t, version, (hierarchy{unified: version == 2}).weightFile())
		dir := h.path("/clusters")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tick, ended := make(chan time.Time), make(chan struct{})
		go func() {
			defer close(ended)
			h.weigh(ctx, dir, h.path("/clusters-keepers"), 3, tick)
		}()
		count := func() {
			// The second tick is taken when what the first one began has ended.
			tick <- time.Now()
			tick <- time.Now()
		}
		count() // before there is a group
		judge := func(when, want string) {
			t.Helper()
			if got := content(t, filepath.Join(dir, h.weightFile())); got != want {
				t.Errorf("version %d, %s: %q, want %s", version, when, got, want)
			}
		}
		if err := h.mkdir(dir); err != nil {
			t.Fatal(err)
		}
		count()
		judge("no container", want[0])
		for _, name := range []string{"a", "b", "c"} {
			if err := h.mkdir(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.mkdir(filepath.Join(dir, "a", "kubelet")); err != nil {
			t.Fatal(err)
		}
		count()
		judge("three containers", want[1])
		for _, name := range []string{"b", "c"} {
			if err := h.rmdir(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		count()
		judge("one container", want[2])
		if err := h.mkdir(filepath.Join(dir, "d")); err != nil {
			t.Fatal(err)
		}
		count()
		judge("two containers", want[3])
		cancel()
		<-ended
		judge("the end", want[4])
	}
}

func TestWeighWithoutAController(t *testing.T) {
	if err := Weigh(t.Context(), t.TempDir(), "/clusters"); err == nil {
		t.Error("a machine without control groups has weights")
	}
}

func TestKeepersWeighAsMuchAsTheirClusters(t *testing.T) {
	for version, want := range map[int]string{1: "2048", 2: "200"} {
		h := fake(t, version, (hierarchy{unified: version == 2}).weightFile())
		dir, keepers := h.path("/clusters"), h.path("/clusters-keepers")
		for _, made := range []string{dir, keepers, filepath.Join(dir, "a"), filepath.Join(dir, "b")} {
			if err := h.mkdir(made); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		tick, ended := make(chan time.Time), make(chan struct{})
		go func() {
			defer close(ended)
			h.weigh(ctx, dir, keepers, 3, tick)
		}()
		tick <- time.Now()
		tick <- time.Now()
		if got := content(t, filepath.Join(keepers, h.weightFile())); got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
		cancel()
		<-ended
		if got, want := content(t, filepath.Join(keepers, h.weightFile())), strconv.Itoa(h.times(1)); got != want {
			t.Errorf("version %d, at the end: %s, want %s", version, got, want)
		}
	}
}
