package results

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	"mesh-conformance/suites/internal/catalogue"
)

func with(spec types.SpecReport, entry string, values ...string) types.SpecReport {
	for _, value := range values {
		spec.ReportEntries = append(spec.ReportEntries, types.ReportEntry{Name: entry, Value: types.WrapEntryValue(value)})
	}
	return spec
}

func TestSpecOfLeavesOutTheWaitForTheGate(t *testing.T) {
	spec := it("copies the share", types.SpecStatePassed, catalogue.Mirroring)
	spec.StartTime, spec.RunTime = begun.Add(10*time.Second), 20*time.Second
	samples := append(measuredOver(10, 15, 145, 0.1), measuredOver(15, 30, 4, 0.3)...)
	made := specOf(job(), &Lists{}, with(spec, EntryWaited, "3.5", "1.5", "soon", "-2"), samples)
	if made.Waited != 5 || made.Start != 15 || made.Seconds != 15 {
		t.Errorf("waited %v, start %v, seconds %v", made.Waited, made.Start, made.Seconds)
	}
	if want := (reports.Lag{Runnable: 4, Subject: 0.3, Busiest: "pilot-discovery"}); made.Lag == nil || *made.Lag != want {
		t.Errorf("lag %+v, want %+v", made.Lag, want)
	}
	if made := specOf(job(), &Lists{}, with(spec, EntryWaited, "3600"), nil); made.Seconds != 0 || made.Waited != 20 ||
		made.Lag != nil {
		t.Errorf("a wait longer than the spec: %+v", made)
	}
}

func TestAPassOnAStarvedMachineIsAPass(t *testing.T) {
	spec := with(it("copies the share", types.SpecStatePassed, catalogue.Mirroring), EntryRestart,
		"etcd restarted at 12:03:04 (exit code 1)")
	if made := specOf(job(), &Lists{}, spec, measuredOver(0, 60, 100, 0.9)); made.State != reports.StatePassed ||
		made.Doubt != "" || made.Lag == nil {
		t.Errorf("state %s, doubt %q, lag %v", made.State, made.Doubt, made.Lag)
	}
}

// TestNoFalseExcuse: what a known defect's message does not tell of is never a known defect.
func TestNoFalseExcuse(t *testing.T) {
	lists := &Lists{KnownDefects: []kindconfig.KnownDefect{{Spec: "mirroring.copies-the-share", Reason: "known", Link: "l",
		Affected: ">=1.20.0 <1.20.7", Message: "no mirror log"}}}
	const known, other = "Timed out after 30.000s.\nno mirror log", "Timed out after 30.000s.\ndeployment echo-v1 is " +
		"not available"
	for _, c := range []struct {
		message  string
		runnable float64
		want     reports.State
	}{
		{known, 3, reports.StateKnownDefect}, {known, 145, reports.StateKnownDefect}, {other, 3, reports.StateFailed}, {other,
			145, reports.StateUndecided},
	} {
		made := specOf(job(), lists, failedAfter(50, c.message), measuredOver(0, 60, c.runnable, 0.1))
		if made.State != c.want || (made.Link != "") != (c.want == reports.StateKnownDefect) {
			t.Errorf("%q with %.0f runnable threads: %s, %q, %q", c.message, c.runnable, made.State, made.Reason, made.Link)
		}
	}
}

func TestAFailureOfAGreedyBuildSaysSoFirst(t *testing.T) {
	samples := measuredOver(0, 60, 145, 0.9)
	made := specOf(job(), &Lists{}, failedAfter(50, "Timed out after 30.000s.\nno mirror log"), samples)
	first, rest, _ := strings.Cut(made.Failure, "\n")
	if made.State != reports.StateFailed || !strings.HasPrefix(first, "the build under test starved the machine: ") ||
		!strings.Contains(rest, "no mirror log") {
		t.Errorf("%s: %q", made.State, made.Failure)
	}
	event := State(job(), &Lists{}, failedAfter(50, "Timed out after 30.000s.\nno mirror log"), measuredOver(0, 60, 145,
		0.1))
	if event.State != "undecided" || !strings.HasPrefix(event.Message,
		"time ran out after 30s while the machine was starved") {
		t.Errorf("event %+v", event)
	}
}

func TestCollectNamesEachRestartOnce(t *testing.T) {
	const apiServer, etcd = "kube-apiserver restarted at 12:03:04 (exit code 137)", "etcd restarted at 12:03:01 (exit " +
		"code 1)"
	named := func(name, message string) types.SpecReport {
		spec := failedAfter(50, message)
		return called(spec, name)
	}
	r := Collect(job(), &Lists{}, types.Report{EndTime: begun.Add(time.Minute), SpecReports: types.SpecReports{
		with(named("a", "Timed out after 30.000s."), EntryRestart, etcd, apiServer, apiServer),
		with(named("b", "Timed out after 30.000s."), EntryRestart, apiServer),
		// Undecided for another reason.
		with(named("c", "etcdserver: leader changed"), EntryRestart, apiServer),
		with(it("d", types.SpecStatePassed, catalogue.Mirroring), EntryRestart, apiServer),
	}}, nil)
	want := []string{etcd + ": 1 spec that failed afterwards is undecided",
		apiServer + ": 2 specs that failed afterwards are undecided"}
	if !slices.Equal(r.Causes, want) {
		t.Errorf("causes %q, want %q", r.Causes, want)
	}
	if r.Totals.Undecided != 3 || r.Totals.Failed != 0 || r.Totals.Passed != 1 || r.Run.Machine != nil {
		t.Errorf("totals %+v, machine %+v", r.Totals, r.Run.Machine)
	}
}

func TestCollectSumsUpTheMachine(t *testing.T) {
	samples := append(measuredOver(0, 30, 10, 0.1), measuredOver(30, 60, 20, 0.1)...)
	samples[3].Width, samples[4].Width, samples[5].Width, samples[6].Worst = 1, 5, 0, 700.123
	// After the run.
	samples = append(samples, measuredOver(60, 70, 100, 0.1)...)
	samples[len(samples)-1].Width = 9
	r := Collect(job(), &Lists{}, types.Report{EndTime: begun.Add(time.Minute)}, samples)
	if want := (reports.Machine{Runnable: 15, Worst: 700.12, Narrowest: 1, Widest: 5}); r.Run.Machine == nil ||
		*r.Run.Machine != want {
		t.Errorf("machine %+v, want %+v", r.Run.Machine, want)
	}
}

// TestFollowUndecided: Ginkgo skips what follows in an Ordered container, and what follows an undecided spec is
// undecided, too.
func TestFollowUndecided(t *testing.T) {
	within := func(spec types.SpecReport, name string, containers ...string) types.SpecReport {
		spec = called(spec, name)
		spec.IsInOrderedContainer, spec.ContainerHierarchyTexts = true, containers
		spec.ContainerHierarchyLocations = make([]types.CodeLocation, len(containers))
		return spec
	}
	skipped := func(name, message string, containers ...string) types.SpecReport {
		spec := within(it("", types.SpecStateSkipped, catalogue.Mirroring), name, containers...)
		spec.Failure = types.Failure{Message: message}
		return spec
	}
	const earlier = "Spec skipped because an earlier spec in an ordered container failed"
	const before = "Spec skipped because a BeforeAll node failed"
	open, failed := failedAfter(50, "etcdserver: leader changed"), failedAfter(50, "got 3")
	r := Collect(&kindconfig.Job{Started: begun}, &Lists{}, types.Report{EndTime: begun, SpecReports: types.SpecReports{
		within(open, "open", "row", "a"), skipped("after-open", earlier, "row", "a"), skipped("after-its-before-all",
			before, "row", "a"),
		skipped("for-another-reason", "no second node", "row", "a"), skipped("nested", earlier, "row", "a", "deeper"),
		within(failed, "failed", "row", "b"), skipped("after-failed", earlier, "row", "b"),
	}}, nil)
	want := map[string]reports.State{"open": reports.StateUndecided, "after-open": reports.StateUndecided,
		"after-its-before-all": reports.StateUndecided,
		"for-another-reason":   reports.StateNotRun, "nested": reports.StateUndecided,
		"failed": reports.StateFailed, "after-failed": reports.StateNotRun}
	for _, spec := range r.Specs {
		name := strings.TrimPrefix(spec.ID, "mirroring.")
		if spec.State != want[name] || spec.State == reports.StateUndecided && spec.Doubt != reports.DoubtConnection {
			t.Errorf("%s: %s, %q, want %s", name, spec.State, spec.Doubt, want[name])
		}
		if name == "after-open" &&
			spec.Reason != "it did not run, because an earlier spec of its container is undecided: mirroring.open" {
			t.Errorf("reason %q", spec.Reason)
		}
	}
}
