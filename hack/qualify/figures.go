package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
	"mesh-conformance/reports"
)

// figures are what a bench measured; seconds everywhere.
type figures struct {
	Date time.Time    `json:"date"`
	CPUs int          `json:"cpus"`
	Cell reports.Cell `json:"cell"`
	// Provisioning is from nothing to the first spec, on a new cluster with everything built.
	Provisioning float64 `json:"provisioning"`
	Lanes        side    `json:"lanes"`
	Serial       side    `json:"serial"`
	// Ratio is the wall time of the lanes over that of the serial run.
	Ratio  float64 `json:"ratio"`
	Target float64 `json:"target"`
	Tests  []pair  `json:"tests"`
}

// side is one way to run the tests.
type side struct {
	Run   string `json:"run"`
	Procs int    `json:"procs"`
	Specs int    `json:"specs"`
	// Failed counts failed and flaky specs, which make the side's time doubtful.
	Failed int `json:"failed"`
	// Wall is from the first test's start to the last one's end.
	Wall float64 `json:"wall"`
}

// pair is one test on both sides.
type pair struct {
	ID     string  `json:"id"`
	Lanes  float64 `json:"lanes"`
	Serial float64 `json:"serial"`
}

const (
	// ratioTarget is the share of the serial run's time that the lanes may take.
	ratioTarget = 0.4
	// upstreamsTests begin the ids of the measured specs.
	upstreamsTests = "gatewayapi."
	// slowestShown is how many tests the report names.
	slowestShown = 12
)

// compare judges two runs of the same tests.
func compare(date time.Time, cpus int, provisioning float64, lanes, serial *reports.Results) (*figures, error) {
	f := &figures{
		Date: date, CPUs: cpus, Cell: lanes.Cell, Provisioning: provisioning,
		Lanes: sideOf(lanes), Serial: sideOf(serial), Target: ratioTarget,
	}
	took := map[string]float64{}
	for _, spec := range measured(serial) {
		took[spec.ID] = spec.Seconds
	}
	for _, spec := range measured(lanes) {
		seconds, ran := took[spec.ID]
		if !ran {
			return nil, unequal(spec.ID + " ran in lanes only")
		}
		f.Tests = append(f.Tests, pair{ID: spec.ID, Lanes: spec.Seconds, Serial: seconds})
	}
	switch {
	case len(f.Tests) == 0 || f.Serial.Wall <= 0:
		return nil, unequal("no test ran")
	case len(f.Tests) != len(took):
		return nil, unequal(fmt.Sprintf("%d tests ran in lanes, %d in upstream's order", len(f.Tests), len(took)))
	case lanes.Cell != serial.Cell:
		return nil, unequal("the runs are of different cells")
	}
	slices.SortFunc(f.Tests, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.Serial, a.Serial), strings.Compare(a.ID, b.ID))
	})
	f.Ratio = f.Lanes.Wall / f.Serial.Wall
	return f, nil
}

func unequal(why string) error {
	return problem.Environment("the bench has nothing to compare", why, "read the two runs' reports", nil)
}

// measured are the specs of a run that are upstream's tests and came to an outcome.
func measured(r *reports.Results) []reports.Spec {
	var found []reports.Spec
	for _, spec := range r.Specs {
		if strings.HasPrefix(spec.ID, upstreamsTests) && spec.State != reports.StateNotRun && spec.State != reports.StateExempt {
			found = append(found, spec)
		}
	}
	return found
}

func sideOf(r *reports.Results) side {
	s := side{Run: r.Run.ID, Procs: r.Run.Procs}
	first, last := 0.0, 0.0
	for i, spec := range measured(r) {
		if i == 0 || spec.Start < first {
			first = spec.Start
		}
		last = max(last, spec.Start+spec.Seconds)
		s.Specs++
		if spec.State == reports.StateFailed || spec.State == reports.StateFlaky {
			s.Failed++
		}
	}
	s.Wall = last - first
	return s
}

// provisioned is when the last step of the provisioning log was done.
func provisioned(log string) float64 {
	last := 0.0
	for _, line := range strings.Split(log, "\n") {
		if match := stepLine.FindStringSubmatch(line); match != nil {
			if seconds, err := strconv.ParseFloat(match[1], 64); err == nil {
				last = max(last, seconds)
			}
		}
	}
	return last
}

// markdown is the bench for a reader.
func (f *figures) markdown() string {
	var text strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) }
	line("# Gateway API tests: lanes against upstream's serial run")
	line("")
	line("Istio %s (%s) on Kubernetes %s, %s proxy %s, %d CPUs, %s.", f.Cell.Istio, f.Cell.Source, f.Cell.Kubernetes,
		f.Cell.Proxy.Flavour, f.Cell.Proxy.Version, f.CPUs, f.Date.Format(time.RFC3339))
	line("Both sides ran on the same cluster with upstream's default timeouts; upstream's Setup is in neither.")
	line("")
	line("| | run | processes | tests | failed | wall time |")
	line("|---|---|---|---|---|---|")
	line("| lanes | %s | %d | %d | %d | %.1f s |", f.Lanes.Run, f.Lanes.Procs, f.Lanes.Specs, f.Lanes.Failed, f.Lanes.Wall)
	line("| serial | %s | %d | %d | %d | %.1f s |", f.Serial.Run, f.Serial.Procs, f.Serial.Specs, f.Serial.Failed, f.Serial.Wall)
	line("")
	verdict := "reached"
	if f.Ratio > f.Target {
		verdict = "missed"
	}
	line("Ratio **%.2f**: the target of %.2f is %s. Provisioning of the new cluster took %.1f s.", f.Ratio, f.Target, verdict, f.Provisioning)
	line("")
	line("| slowest tests | serial | lanes |")
	line("|---|---|---|")
	for _, test := range f.Tests[:min(slowestShown, len(f.Tests))] {
		line("| %s | %.1f s | %.1f s |", test.ID, test.Serial, test.Lanes)
	}
	return text.String()
}
