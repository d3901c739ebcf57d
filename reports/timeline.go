package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// timeline places every spec that ran on one axis, a lane for each process. The axis begins with the first spec: on one
// that began with the run, the minute of provisioning would squeeze the specs.
type timeline struct {
	// From and To are the axis' ends, in seconds since the run's start.
	From, To float64
	Ticks    []tick
	Lanes    []lane
}

type tick struct {
	// At is in percent of the axis.
	At    string
	Label string
}

type lane struct {
	Process int
	Specs   []Spec
	Busy    float64
}

// tickSteps are the distances people read without effort, in seconds.
var tickSteps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600}

func newTimeline(r *Results) timeline {
	var line timeline
	lanes := map[int]*lane{}
	for _, spec := range r.Specs {
		if spec.Process < 1 || spec.Seconds <= 0 {
			continue
		}
		if len(lanes) == 0 {
			line.From = spec.Start
		}
		line.From, line.To = min(line.From, spec.Start), max(line.To, spec.Start+spec.Seconds)
		if lanes[spec.Process] == nil {
			lanes[spec.Process] = &lane{Process: spec.Process}
		}
		lanes[spec.Process].Specs = append(lanes[spec.Process].Specs, spec)
		lanes[spec.Process].Busy += spec.Seconds
	}
	for _, process := range slices.Sorted(maps.Keys(lanes)) {
		slices.SortStableFunc(lanes[process].Specs, func(a, b Spec) int { return cmp.Compare(a.Start, b.Start) })
		line.Lanes = append(line.Lanes, *lanes[process])
	}
	step := tickStep(line.To - line.From)
	for at := math.Ceil(line.From/step) * step; at < line.To; at += step {
		line.Ticks = append(line.Ticks, tick{At: line.place(at), Label: tickLabel(at)})
	}
	return line
}

func tickStep(length float64) float64 {
	const most = 6
	for _, step := range tickSteps {
		if length/step <= most {
			return step
		}
	}
	// Runs of many hours.
	last := tickSteps[len(tickSteps)-1]
	return last * math.Ceil(length/last/most)
}

func tickLabel(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	if whole := int(seconds); whole%60 != 0 {
		return fmt.Sprintf("%d:%02d", whole/60, whole%60)
	}
	return fmt.Sprintf("%.0f min", seconds/60)
}

// Left is where a spec's bar begins, in percent of the axis.
func (t timeline) Left(spec Spec) string { return t.place(spec.Start) }

// Width is how long a spec's bar is, in percent of the axis.
func (t timeline) Width(spec Spec) string { return t.place(t.From + spec.Seconds) }

func (t timeline) place(at float64) string {
	if t.To <= t.From {
		return "0"
	}
	return fmt.Sprintf("%.2f", min(100, max(0, 100*(at-t.From)/(t.To-t.From))))
}
