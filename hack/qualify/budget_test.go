package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
)

func TestChooseSpecs(t *testing.T) {
	for name, c := range map[string]struct {
		budget, build, specs time.Duration
		slowness             float64
		labels, first, last  string
	}{
		"without a budget": {0, 12 * time.Minute, 8 * time.Minute, 9, "",
			"estimate: build 12 min, specs 72 min (9.0 times slower than a quiet machine)",
			"this run tried the whole suite (560 specs)"},
		"within the budget": {time.Hour, 12 * time.Minute, 8 * time.Minute, 3.1, "",
			"estimate: build 12 min, specs 25 min (3.1 times slower than a quiet machine)",
			"this run tried the whole suite (560 specs), because it was estimated at 37 min, within --budget 60m"},
		"above the budget": {time.Hour, 55 * time.Minute, 8 * time.Minute, 5, "smoke",
			"estimate: build 55 min, specs 40 min (5.0 times slower than a quiet machine)",
			"this run tried the set smoke (34 of 560 specs), " +
				"because the whole suite was estimated at 95 min, above --budget 60m"},
		"exactly the budget": {90 * time.Second, 0, 90 * time.Second, 1, "",
			"estimate: nothing to build, specs 2 min (as fast as a quiet machine)",
			"this run tried the whole suite (560 specs), because it was estimated at 2 min, within --budget 1m30s"},
		"a machine faster than usual": {time.Minute, time.Second, 50 * time.Second, 0.2, "",
			"estimate: build less than 1 min, specs less than 1 min (as fast as a quiet machine)",
			"this run tried the whole suite (560 specs), because it was estimated at less than 1 min, within --budget 1m"},
	} {
		got := chooseSpecs(c.budget, c.build, c.specs, c.slowness)
		if got.labels() != c.labels || got.smoke != (c.labels != "") {
			t.Errorf("%s: label filter %q, want %q", name, got.labels(), c.labels)
		}
		if line := got.estimate(); line != c.first {
			t.Errorf("%s: first line %q, want %q", name, line, c.first)
		}
		if line := got.tried(34, 560); line != c.last {
			t.Errorf("%s: last line %q, want %q", name, line, c.last)
		}
	}
}

func TestQuietTime(t *testing.T) {
	runs := []wholeRun{
		{Kubernetes: "1.27", Provisioning: 20, Specs: 400, Slowness: 1},
		{Kubernetes: "1.28", Provisioning: 60, Specs: 840, Slowness: 3},
		{Kubernetes: "1.28", Provisioning: 20, Specs: 330, Slowness: 1},
		{Kubernetes: "1.28", Provisioning: 20, Specs: 360, Slowness: 0},
		{Kubernetes: "1.28"},
	}
	for name, c := range map[string]struct {
		runs       []wholeRun
		kubernetes string
		want       time.Duration
	}{
		"no run":                      {nil, "1.28", quietWhole},
		"runs of the version":         {runs, "1.28", 350 * time.Second},
		"one run of the version":      {runs, "1.27", 420 * time.Second},
		"only runs of other versions": {runs, "1.25", 380 * time.Second},
	} {
		if got := quietTime(c.runs, c.kubernetes); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestRememberRun(t *testing.T) {
	cache := t.TempDir()
	if runs, err := loadRuns(cache); err != nil || len(runs) != 0 {
		t.Errorf("an empty cache remembers %v, %v", runs, err)
	}
	other := wholeRun{Kubernetes: "1.25", Specs: 1, Slowness: 1}
	if err := rememberRun(cache, other); err != nil {
		t.Fatal(err)
	}
	for n := range runsKept + 2 {
		ended := time.Unix(int64(n), 0).UTC()
		run := wholeRun{Kubernetes: "1.28", Specs: float64(100 + n), Slowness: 1, Ended: ended}
		if err := rememberRun(cache, run); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := loadRuns(cache)
	if err != nil || len(runs) != runsKept+1 {
		t.Fatalf("the cache remembers %d runs, %v; want %d", len(runs), err, runsKept+1)
	}
	if runs[0] != other || runs[1].Specs != 102 || runs[runsKept].Specs != 100+runsKept+1 {
		t.Errorf("the cache remembers %v, want the newest of each version, oldest first", runs)
	}

	if err := os.WriteFile(filepath.Join(cache, runsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if runs, err := loadRuns(cache); err != nil || len(runs) != 0 {
		t.Errorf("of a damaged record: %v, error %v; want none", runs, err)
	}
	if err := rememberRun(cache, wholeRun{Kubernetes: "1.28", Specs: 1}); err != nil {
		t.Errorf("a damaged record is not written anew: %v", err)
	}
}

func TestCheckBudget(t *testing.T) {
	for _, c := range []struct {
		budget        time.Duration
		focus, labels string
		want          int
	}{
		{0, "", "", 0}, {0, "x", "smoke", 0}, {time.Hour, "", "", 0},
		{-time.Hour, "", "", problem.ExitUsage},
		{time.Hour, "x", "", problem.ExitUsage}, {time.Hour, "", "smoke", problem.ExitUsage},
	} {
		if err := checkBudget(c.budget, c.focus, c.labels); problem.ExitCode(err) != c.want {
			t.Errorf("checkBudget(%s, %q, %q): %v, want exit code %d", c.budget, c.focus, c.labels, err, c.want)
		}
	}
}
