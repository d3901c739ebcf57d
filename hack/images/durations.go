package images

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// durationsFile keeps, in the cache, how long builds took on this machine.
const durationsFile = "durations.json"

// keptDurations is how many builds of an artifact are kept: the last ones.
const keptDurations = 5

// duration is how long one build took.
type duration struct {
	Ended   time.Time `json:"ended"`
	Seconds float64   `json:"seconds"`
	// Beside is how many other builds ran at the same time, on average.
	Beside float64 `json:"beside"`
	// Specs means that specs ran during a part of the build, so that it had to give way.
	Specs bool `json:"specs,omitempty"`
}

// alone returns how long the build would have taken by itself: builds that run together share the machine.
func (d duration) alone() time.Duration {
	return time.Duration(d.Seconds / (1 + d.Beside) * float64(time.Second))
}

// durations maps an artifact's name, without its key, to its last builds, oldest first.
type durations map[string][]duration

// loadDurations reads the file. One that is missing or damaged has no builds: they only decide what the progress
// says.
func (s store) loadDurations() durations {
	content, err := os.ReadFile(filepath.Join(s.dir, durationsFile))
	if err != nil {
		return durations{}
	}
	var known durations
	if err := json.Unmarshal(content, &known); err != nil || known == nil {
		return durations{}
	}
	return known
}

// saveDurations replaces the file whole.
func (s store) saveDurations(known durations) error {
	path := filepath.Join(s.dir, durationsFile)
	if err := writeJSON(path+".new", known); err != nil {
		return fmt.Errorf("keep how long builds took: %w", err)
	}
	return os.Rename(path+".new", path)
}

// add adds a build and forgets the oldest where there are too many.
func (d durations) add(name string, took duration) {
	all := append(slices.Clone(d[name]), took)
	d[name] = all[max(0, len(all)-keptDurations):]
}

// last returns the last build of an artifact beside specs, or that without specs: one says nothing about the other.
func (d durations) last(name string, specs bool) (duration, bool) {
	for _, took := range slices.Backward(d[name]) {
		if took.Specs == specs {
			return took, true
		}
	}
	return duration{}, false
}

// alone returns the median time that builds of an artifact without specs beside would have taken by themselves, and
// when the last ended.
func (d durations) alone(name string) (took time.Duration, ended time.Time, ok bool) {
	var all []time.Duration
	for _, one := range d[name] {
		if !one.Specs {
			all = append(all, one.alone())
			ended = one.Ended
		}
	}
	if len(all) == 0 {
		return 0, ended, false
	}
	slices.Sort(all)
	return all[(len(all)-1)/2], ended, true
}

// usual returns what the progress says of a build: the last one under the same conditions, or what is expected
// without one.
func (d durations) usual(name string, specs bool, expect time.Duration) Usual {
	if took, ok := d.last(name, specs); ok {
		return Usual{Time: time.Duration(took.Seconds * float64(time.Second)), Recorded: true}
	}
	return Usual{Time: expect}
}

// crowd measures how many builds run together. The zero value has none.
type crowd struct {
	count int
	since time.Time
	// area is the integral of count over the time, in seconds.
	area float64
}

// arrival is the state of the crowd when a build begins.
type arrival struct {
	at        time.Time
	area      float64
	specs     bool
	stretches int
}

func (c *crowd) pass(now time.Time) {
	if c.count > 0 {
		c.area += float64(c.count) * now.Sub(c.since).Seconds()
	}
	c.since = now
}

// enter begins a build; specs and stretches are as besideSpecs returns them.
func (c *crowd) enter(now time.Time, specs bool, stretches int) arrival {
	c.pass(now)
	c.count++
	return arrival{at: now, area: c.area, specs: specs, stretches: stretches}
}

// leave ends a build and returns how long it took. It took part of its time beside specs if they ran at its
// beginning, or have begun since.
func (c *crowd) leave(now time.Time, from arrival, besideSpecs func() (bool, int)) duration {
	c.pass(now)
	c.count--
	took := duration{Ended: now.UTC().Truncate(time.Second), Seconds: now.Sub(from.at).Seconds()}
	if took.Seconds > 0 {
		took.Beside = max(0, (c.area-from.area)/took.Seconds-1)
	}
	_, stretches := besideSpecs()
	took.Specs = from.specs || stretches != from.stretches
	// What is read by people has no more digits than it means.
	took.Seconds, took.Beside = math.Round(took.Seconds*10)/10, math.Round(took.Beside*10)/10
	return took
}
