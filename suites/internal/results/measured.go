package results

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/machine"
	"mesh-conformance/reports"
)

// The report entries of a spec that tell of the machine and its cluster.
const (
	// EntryWaited holds for how many seconds the spec waited for the driver's gate before it began, as decimal text.
	// A spec may have several; their sum counts.
	EntryWaited = "waited"
	// EntryRestart holds one line about a restart of the Kubernetes control plane in the spec's cluster before the
	// spec failed, such as "kube-apiserver restarted at 12:03:04 (exit code 137)". A spec may have several.
	EntryRestart = "restart"
	// EntryLost holds one line about a connection of the suite's own that was found broken right after the spec failed,
	// such as "the API server of cluster a did not respond to /readyz within 10s".
	EntryLost = "lost"
)

// waitedForGate is the time that a spec waited for the driver's gate. Ginkgo counts it as the spec's own.
func waitedForGate(spec types.SpecReport) time.Duration {
	var waited time.Duration
	for _, entry := range spec.ReportEntries {
		if entry.Name != EntryWaited {
			continue
		}
		if seconds, err := strconv.ParseFloat(entry.StringRepresentation(), 64); err == nil && seconds > 0 {
			waited += time.Duration(seconds * float64(time.Second))
		}
	}
	return min(waited, max(0, spec.RunTime))
}

// foundLost returns the line of the spec's report about a broken connection of the suite's own.
func foundLost(spec types.SpecReport) (line string, is bool) {
	for _, entry := range spec.ReportEntries {
		if said := strings.TrimSpace(entry.StringRepresentation()); entry.Name == EntryLost && said != "" {
			return said, true
		}
	}
	return "", false
}

// restartsBefore are the restarts of the Kubernetes control plane that the spec's report tells of.
func restartsBefore(spec types.SpecReport) []string {
	var restarts []string
	for _, entry := range spec.ReportEntries {
		if said := strings.TrimSpace(entry.StringRepresentation()); entry.Name == EntryRestart && said != "" &&
			!slices.Contains(restarts, said) {
			restarts = append(restarts, said)
		}
	}
	return restarts
}

// causesOf names each restart of a Kubernetes control plane once, with the number of specs that it left undecided, in
// the order of the first spec that failed after it.
func causesOf(report types.Report, specs []reports.Spec) []string {
	undecided := map[string]bool{}
	for _, spec := range specs {
		undecided[spec.ID] = spec.Doubt == reports.DoubtRestart
	}
	count := map[string]int{}
	var order []string
	for _, spec := range report.SpecReports {
		if spec.LeafNodeType != types.NodeTypeIt || !undecided[SpecID(spec)] {
			continue
		}
		for _, restart := range restartsBefore(spec) {
			if count[restart] == 0 {
				order = append(order, restart)
			}
			count[restart]++
		}
	}
	var causes []string
	for _, restart := range order {
		said := "1 spec that failed afterwards is undecided"
		if n := count[restart]; n > 1 {
			said = fmt.Sprintf("%d specs that failed afterwards are undecided", n)
		}
		causes = append(causes, restart+": "+said)
	}
	return causes
}

// followUndecided makes a spec undecided that Ginkgo skipped because an earlier one of its Ordered container is
// undecided: the machine, and not the build, kept it from running. failed maps each container to the first of its
// specs that did not pass; the call adds to it.
func followUndecided(made *reports.Spec, spec types.SpecReport, failed map[string]reports.Spec) {
	if !spec.IsInOrderedContainer {
		return
	}
	containers := containersOf(spec)
	if spec.Failed() {
		for _, container := range containers {
			if _, known := failed[container]; !known {
				failed[container] = *made
			}
		}
		return
	}
	if made.State != reports.StateNotRun || !skippedByOrder(spec) {
		return
	}
	// The innermost container first: an outer one need not be Ordered.
	for _, container := range slices.Backward(containers) {
		first, found := failed[container]
		if found && first.State == reports.StateUndecided {
			made.State, made.Doubt = reports.StateUndecided, first.Doubt
			made.Reason = "it did not run, because an earlier spec of its container is undecided: " + first.ID
		}
		if found {
			return
		}
	}
}

// containersOf identifies each container of a spec, the outermost first.
func containersOf(spec types.SpecReport) []string {
	var containers []string
	path := ""
	for i, text := range spec.ContainerHierarchyTexts {
		path += text + "\x00"
		if i < len(spec.ContainerHierarchyLocations) {
			path += spec.ContainerHierarchyLocations[i].String() + "\x00"
		}
		containers = append(containers, path)
	}
	return containers
}

// skippedByOrder reports whether Ginkgo skipped a spec because an earlier one of its Ordered container, or its
// BeforeAll, failed.
func skippedByOrder(spec types.SpecReport) bool {
	const earlier, before = "an earlier spec in an ordered container failed", "a BeforeAll node failed"
	return spec.State == types.SpecStateSkipped && (strings.Contains(spec.Failure.Message, earlier) ||
		strings.Contains(spec.Failure.Message, before))
}

// lagOf is what the driver measured of the machine while a spec ran; nil where it measured nothing.
func lagOf(samples []machine.Sample, spec types.SpecReport, waited time.Duration) *reports.Lag {
	lag := machine.Between(samples, spec.StartTime.Add(waited), spec.StartTime.Add(spec.RunTime))
	if lag.Seconds == 0 {
		return nil
	}
	return &reports.Lag{Late: hundredths(lag.Late), Worst: hundredths(lag.Worst), Runnable: hundredths(lag.Runnable),
		Subject: hundredths(lag.Subject), Busiest: lag.Busiest}
}

// machineOf sums up what the driver measured from one moment to another; nil where it measured nothing.
func machineOf(samples []machine.Sample, from, to time.Time) *reports.Machine {
	lag := machine.Between(samples, from, to)
	if lag.Seconds == 0 {
		return nil
	}
	summary := &reports.Machine{Late: hundredths(lag.Late), Worst: hundredths(lag.Worst),
		Runnable: hundredths(lag.Runnable)}
	for _, sample := range samples {
		if sample.Width < 1 || !sample.Overlaps(from, to) {
			continue
		}
		if summary.Narrowest == 0 {
			summary.Narrowest = sample.Width
		}
		summary.Narrowest, summary.Widest = min(summary.Narrowest, sample.Width), max(summary.Widest, sample.Width)
	}
	return summary
}

func hundredths(number float64) float64 { return math.Round(100*number) / 100 }
