package images

import (
	"context"
	"fmt"
	"time"

	"mesh-conformance/kindconfig"
)

// Estimate is what there is to build and about how long that takes while no specs run.
type Estimate struct {
	// Artifacts is how many the cache lacks, Unrecorded how many of them this machine has not built before.
	Artifacts, Unrecorded int
	// Time is the wall time for all.
	Time time.Duration
	// Last is when the last of the earlier builds ended that Time is taken from; zero if there is none.
	Last time.Time
}

// String returns one line for a user.
func (e Estimate) String() string {
	if e.Artifacts == 0 {
		return "nothing to build"
	}
	line := fmt.Sprintf("%d artifacts to build, about %s", e.Artifacts, inMinutes(e.Time))
	if e.Artifacts == 1 {
		line = "1 artifact to build, about " + inMinutes(e.Time)
	}
	if e.Unrecorded == e.Artifacts {
		return line + " on a quiet two-core machine"
	}
	line += fmt.Sprintf(" (from %s's builds on this machine", e.Last.Format(time.DateOnly))
	if e.Unrecorded > 0 {
		line += fmt.Sprintf("; %d without one as on a quiet two-core machine", e.Unrecorded)
	}
	return line + ")"
}

// inMinutes returns a time in minutes, or in seconds below two minutes.
func inMinutes(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", int(max(d, time.Second).Round(time.Second).Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}

// Estimate returns what building the cells of these Kubernetes versions takes, one cell after the other.
func (b *Builder) Estimate(
	ctx context.Context, subject kindconfig.Subject, cells ...kindconfig.Kubernetes,
) (Estimate, error) {
	known, planned := b.store.loadDurations(), map[string]bool{}
	var all Estimate
	for _, kubernetes := range cells {
		plan, err := b.plan(ctx, kubernetes, subject)
		if err != nil {
			return Estimate{}, err
		}
		var lacking []*artifact
		for _, a := range b.store.lacking(ctx, plan.wanted()) {
			// Cells share artifacts: the first one makes them.
			if !planned[b.store.path(a)] {
				planned[b.store.path(a)] = true
				lacking = append(lacking, a)
			}
		}
		one, _ := estimate(lacking, known)
		all.Artifacts += one.Artifacts
		all.Unrecorded += one.Unrecorded
		all.Time += one.Time
		if one.Last.After(all.Last) {
			all.Last = one.Last
		}
	}
	return all, nil
}

// estimate returns what it takes to make artifacts, in an order with needs first, and the wall time of each among the
// others.
func estimate(order []*artifact, known durations) (Estimate, map[*artifact]time.Duration) {
	all, alone := Estimate{Artifacts: len(order)}, map[*artifact]time.Duration{}
	for _, a := range order {
		took, ended, ok := known.alone(a.name)
		if !ok {
			took = a.expect
			all.Unrecorded++
		}
		if ended.After(all.Last) {
			all.Last = ended
		}
		alone[a] = took
	}
	var each map[*artifact]time.Duration
	all.Time, each = timetable(order, alone)
	return all, each
}

// timetable returns the wall time of a whole build and of each of its artifacts, from the times that they take alone.
// It begins artifacts as realise does. Builds that run together share the machine equally: of three each takes three
// times as long.
func timetable(
	order []*artifact, alone map[*artifact]time.Duration,
) (whole time.Duration, each map[*artifact]time.Duration) {
	waiting, lacked := append([]*artifact(nil), order...), map[*artifact]bool{}
	for _, a := range order {
		lacked[a] = true
	}
	each = map[*artifact]time.Duration{}
	var running []*artifact
	left, begun := map[*artifact]time.Duration{}, map[*artifact]time.Duration{}
	for {
		for len(running) < concurrency {
			var next *artifact
			if next, waiting = takeReady(waiting, lacked); next == nil {
				break
			}
			running = append(running, next)
			left[next], begun[next] = alone[next], whole
		}
		if len(running) == 0 {
			return whole, each
		}
		first := running[0]
		for _, a := range running {
			if left[a] < left[first] {
				first = a
			}
		}
		step := left[first]
		whole += step * time.Duration(len(running))
		var still []*artifact
		for _, a := range running {
			if left[a] -= step; a != first {
				still = append(still, a)
			}
		}
		running = still
		delete(lacked, first)
		each[first] = whole - begun[first]
	}
}
