package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// smokeLabel is the label of the specs that run where the whole suite exceeds the budget (catalogue.Smoke of the
// suite).
const smokeLabel = "smoke"

// quietWhole is how long provisioning and all specs take on a quiet machine with two cores.
const quietWhole = 8 * time.Minute

// runsFile is in the cache and holds the whole runs that ended on this machine, oldest first.
const runsFile = "runs.json"

// runsKept is how many whole runs of each Kubernetes version the cache remembers.
const runsKept = 5

// wholeRun is how long a run of the whole suite took.
type wholeRun struct {
	// Kubernetes is the minor version, for example 1.28.
	Kubernetes string    `json:"kubernetes"`
	Ended      time.Time `json:"ended"`
	// Provisioning is the time in seconds before the first spec, Specs the time in seconds from then to the end of the
	// last spec.
	Provisioning float64 `json:"provisioning"`
	Specs        float64 `json:"specs"`
	// Slowness is how many times slower the machine was than a quiet one with two cores: the mean over the run, at
	// least 1.
	Slowness float64 `json:"slowness"`
}

// loadRuns reads the whole runs that the cache remembers. A cache without the file remembers none.
func loadRuns(cache string) ([]wholeRun, error) {
	path := filepath.Join(cache, runsFile)
	content, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []wholeRun
	if err == nil {
		err = json.Unmarshal(content, &runs)
	}
	var malformed *json.SyntaxError
	if errors.As(err, &malformed) {
		// A damaged file costs an estimate, not a run; the next whole run writes it anew.
		return nil, nil
	}
	if err != nil {
		return nil, problem.Environment("cannot read how long earlier runs took", path, "remove the file", err)
	}
	return runs, nil
}

// rememberRun adds a whole run to those that the cache remembers.
func rememberRun(cache string, run wholeRun) error {
	runs, err := loadRuns(cache)
	if err != nil {
		return err
	}
	path := filepath.Join(cache, runsFile)
	content, err := json.MarshalIndent(withRun(runs, run), "", "  ")
	if err == nil {
		err = os.WriteFile(path+".new", append(content, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return problem.Environment("cannot write how long this run took", path,
			"make the cache writable or set --cache", err)
	}
	return nil
}

// withRun returns the runs and a newer one. Of the newer run's Kubernetes version it keeps the newest runsKept only.
func withRun(runs []wholeRun, run wholeRun) []wholeRun {
	kept := append(slices.Clone(runs), run)
	excess := -runsKept
	for _, one := range kept {
		if one.Kubernetes == run.Kubernetes {
			excess++
		}
	}
	return slices.DeleteFunc(kept, func(one wholeRun) bool {
		if one.Kubernetes != run.Kubernetes || excess <= 0 {
			return false
		}
		excess--
		return true
	})
}

// quietTime returns how long provisioning and all specs take on this machine when it is quiet: the median of the
// remembered runs of a Kubernetes version (minor), or of all versions where none is of that version, or quietWhole
// where none is remembered.
func quietTime(runs []wholeRun, kubernetes string) time.Duration {
	var same, all []float64
	for _, run := range runs {
		seconds := (run.Provisioning + run.Specs) / max(run.Slowness, 1)
		if math.IsNaN(seconds) || seconds <= 0 {
			continue
		}
		all = append(all, seconds)
		if run.Kubernetes == kubernetes {
			same = append(same, seconds)
		}
	}
	if len(same) == 0 {
		same = all
	}
	if len(same) == 0 {
		return quietWhole
	}
	slices.Sort(same)
	return time.Duration(same[len(same)/2] * float64(time.Second))
}

// choice is what a run tries, and why.
type choice struct {
	// smoke reports whether the run tries the set smoke instead of the whole suite.
	smoke  bool
	budget time.Duration
	// build and specs are the estimates for building, and for provisioning with all specs, on this machine as fast as
	// it is now.
	build, specs time.Duration
	slowness     float64
}

// chooseSpecs decides whether a run tries the whole suite or the set smoke. A budget of 0 is none. build is how long
// the builds are expected to take on this machine, specs how long provisioning and all specs take on it when it is
// quiet (quietTime), and slowness how many times slower it is now; values below 1 count as 1.
func chooseSpecs(budget, build, specs time.Duration, slowness float64) choice {
	if math.IsNaN(slowness) || slowness < 1 {
		slowness = 1
	}
	c := choice{budget: budget, build: build, specs: time.Duration(float64(specs) * slowness), slowness: slowness}
	c.smoke = budget > 0 && c.whole() > budget
	return c
}

// whole is the estimate for a run of the whole suite.
func (c choice) whole() time.Duration { return c.build + c.specs }

// labels returns the label filter of the run, "" for the whole suite.
func (c choice) labels() string {
	if c.smoke {
		return smokeLabel
	}
	return ""
}

// estimate is the first line of the run.
func (c choice) estimate() string {
	build := "nothing to build"
	if c.build > 0 {
		build = "build " + minutes(c.build)
	}
	speed := "as fast as a quiet machine"
	if c.slowness >= 1.05 {
		speed = fmt.Sprintf("%.1f times slower than a quiet machine", c.slowness)
	}
	return fmt.Sprintf("estimate: %s, specs %s (%s)", build, minutes(c.specs), speed)
}

// tried is the last line of the run. selected of the suite's specs were selected.
func (c choice) tried(selected, all int) string {
	if c.smoke {
		return fmt.Sprintf("this run tried the set smoke (%d of %d specs), "+
			"because the whole suite was estimated at %s, above --budget %s",
			selected, all, minutes(c.whole()), budgetFlag(c.budget))
	}
	line := fmt.Sprintf("this run tried the whole suite (%d specs)", all)
	if c.budget > 0 {
		line += fmt.Sprintf(", because it was estimated at %s, within --budget %s",
			minutes(c.whole()), budgetFlag(c.budget))
	}
	return line
}

// minutes writes an estimate, which is no more exact than that.
func minutes(d time.Duration) string {
	if d < time.Minute {
		return "less than 1 min"
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}

// budgetFlag writes a duration as users write it on the command line: 60m, not 1h0m0s.
func budgetFlag(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return d.String()
}

// checkBudget rejects a budget that is negative, and a budget beside filters, because filters have chosen the specs
// already.
func checkBudget(budget time.Duration, focus, labels string) error {
	switch {
	case budget < 0:
		return problem.Usage("a negative time "+budget.String(), "--budget",
			"give how long building and all specs may take, such as 60m")
	case budget > 0 && (focus != "" || labels != ""):
		filters := strings.Join(filterArguments("--", focus, labels), " ")
		return problem.Usage("--budget together with "+filters, "qualify run", "give either a budget or filters")
	}
	return nil
}
