package results

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/machine"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	specs "mesh-conformance/suites/internal/spec"
)

// Collect builds the results of a run from Ginkgo's report of all its processes and from what the driver measured of
// the machine (machine.Load of the job's MachineFile), which may be nothing.
func Collect(job *kindconfig.Job, lists *Lists, report types.Report, samples []machine.Sample) *reports.Results {
	r := &reports.Results{
		Schema: reports.Schema,
		Run: reports.Run{
			ID: job.Run, Started: job.Started, Seconds: round(report.EndTime.Sub(job.Started)),
			Filter: job.Filter, Procs: job.Procs, Command: job.Command,
			Machine: machineOf(samples, job.Started, report.EndTime),
		},
		Cell: reports.Cell{
			Kubernetes: job.Cell.Kubernetes, Istio: job.Cell.Istio, Source: reports.Source(job.Cell.Source),
			Proxy: reports.Proxy{Flavour: reports.Flavour(job.Cell.ProxyFlavour), Version: job.Cell.ProxyVersion},
		},
		Engine: job.Engine, ProxyExtensions: job.Cell.ProxyExtensions,
	}
	if job.Cell.Subject.Name != "" {
		subject := job.Cell.Subject
		r.Subject = &subject
	}
	r.Installation = reports.InstallationOf(job)
	for _, image := range job.Cell.Images {
		r.Images = append(r.Images, reports.Image{
			Name: image.Name, Reference: image.Reference, Digest: image.Digest,
			PinnedDigest: image.PinnedDigest, Mirror: image.Mirror,
			Source: reports.Source(image.Source), Role: reports.Role(image.Role),
		})
	}
	for _, row := range catalogue.Rows() {
		r.Rows = append(r.Rows, reports.Row{ID: row.ID, Title: row.Title})
	}
	seen, tried := map[string]bool{}, map[string]bool{}
	failed := map[string]reports.Spec{}
	for _, spec := range report.SpecReports {
		if spec.LeafNodeType != types.NodeTypeIt {
			if spec.Failed() && !strings.Contains(spec.FailureMessage(), elsewhere) {
				r.Problems = append(r.Problems, fmt.Sprintf("%s: %s", spec.LeafNodeType, firstLine(spec.FailureMessage())))
			}
			continue
		}
		made := specOf(job, lists, spec, samples)
		followUndecided(&made, spec, failed)
		if err := specs.Check(spec.Labels()); err != nil {
			r.Problems = append(r.Problems, fmt.Sprintf("spec %q: %v", spec.FullText(), err))
			continue
		}
		if seen[made.ID] {
			r.Problems = append(r.Problems, "two specs have the id "+made.ID)
		}
		seen[made.ID] = true
		tried[made.Row] = true
		r.Specs = append(r.Specs, made)
	}
	if _, err := job.Cell.Subject.Placed(); err != nil && !report.SuiteConfig.DryRun {
		r.Problems = append(r.Problems, "no entry of a list of known defects could hold: "+err.Error())
	}
	r.Causes = causesOf(report, r.Specs)
	r.Problems = append(r.Problems, faults(lists, report, seen, tried)...)
	if how, is := greedyBuild(samples); is {
		r.Problems = append(r.Problems, how)
	}
	r.Tally()
	return r
}

// elsewhere is what Ginkgo says of a process whose set-up failed in the first process, which says why (ginkgo
// v2.34.0, types/errors.go).
const elsewhere = "failed on Ginkgo parallel process"

// faults are entries of the lists that name no spec of the suite, and promises of the catalogue that no spec has: a
// package that suite_test.go no longer imports would vanish unseen. A filtered run still knows all specs.
func faults(lists *Lists, report types.Report, seen, tried map[string]bool) []string {
	var found []string
	// Where provisioning failed, Ginkgo reports no spec at all.
	if len(seen) == 0 {
		return nil
	}
	for _, row := range catalogue.Rows() {
		if !tried[row.ID] {
			found = append(found, "no spec is there for row "+row.ID)
		}
	}
	for _, e := range lists.Exemptions {
		if !seen[e.Spec] {
			found = append(found, e.ListName()+" names a spec that does not exist: "+e.Spec)
		}
	}
	for _, d := range lists.KnownDefects {
		if !seen[d.Spec] {
			found = append(found, d.ListName()+" names a spec that does not exist: "+d.Spec)
		}
	}
	return found
}

// judgedFrom is how many seconds of running specs it takes to judge the processor time that the build under test uses.
const judgedFrom = 60

// greedyBuild reports whether the build under test used most of the processor time that was used while specs ran,
// which a build that waits for nothing in a loop does, and how, in one line.
func greedyBuild(samples []machine.Sample) (how string, is bool) {
	var running []machine.Sample
	for _, s := range samples {
		if s.Holding > 0 {
			running = append(running, s)
		}
	}
	if len(running) == 0 {
		return "", false
	}
	last := running[len(running)-1].At
	lag := machine.Between(running, running[0].At.Add(-time.Minute), last)
	if lag.Seconds < judgedFrom {
		return "", false
	}
	how, is = lag.BySubject()
	return "over the whole run, " + how, is
}

// specOf is one spec of the model.
func specOf(job *kindconfig.Job, lists *Lists, spec types.SpecReport, samples []machine.Sample) reports.Spec {
	waited := waitedForGate(spec)
	made := reports.Spec{
		ID: SpecID(spec), Name: SpecName(spec), Seconds: round(max(0,
			spec.RunTime-waited)), Waited: round(waited), Process: spec.ParallelProcess,
		Attempts: spec.NumAttempts, Location: location(spec.LeafNodeLocation),
	}
	if !spec.StartTime.IsZero() && spec.State != types.SpecStateSkipped && spec.State != types.SpecStatePending {
		made.Start = round(spec.StartTime.Add(waited).Sub(job.Started))
		made.Lag = lagOf(samples, spec, waited)
	}
	if row, ok := catalogue.RowOf(spec.Labels()); ok {
		made.Row = row.ID
	}
	for _, entry := range spec.ReportEntries {
		attach(&made, entry)
	}
	judge(&made, job, lists, spec, samples)
	setSpan(&made, job, spec)
	return made
}

// attach adds one report entry. Entries of other processes arrive as JSON.
func attach(made *reports.Spec, entry types.ReportEntry) {
	switch entry.Name {
	case evidence.EntryEvidence:
		// Of the process that reports, entries come as they are; of the others, as JSON only.
		item, own := entry.Value.GetRawValue().(evidence.Item)
		if own || json.Unmarshal([]byte(entry.Value.AsJSON), &item) == nil && item.Name != "" {
			made.Evidence = append(made.Evidence, reports.Evidence{Level: reports.Level(item.Level), Name: item.Name, Value: item.Value})
			made.Level = stronger(made.Level, reports.Level(item.Level))
		}
	case evidence.EntryReplay:
		made.Replay = append(made.Replay, entry.StringRepresentation())
	case EntryDiagnostics:
		made.Diagnostics = entry.StringRepresentation()
	}
}

func stronger(a, b reports.Level) reports.Level {
	rank := map[reports.Level]int{reports.LevelTraffic: 3, reports.LevelConfig: 2, reports.LevelAPI: 1}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// judge gives the state. On a pinned release, a known defect must fail, and fail as it is known to; on other builds it
// may also be repaired. An exempt spec must not have run. What the machine was like decides about failures alone: a pass
// on a starved machine is a pass.
func judge(made *reports.Spec, job *kindconfig.Job, lists *Lists, spec types.SpecReport, samples []machine.Sample) {
	subject := job.Cell.Subject
	defect, holds := lists.defect(made.ID, subject)
	exemption := lists.ExemptionOf(spec, &job.Cell)
	failed := spec.Failed()
	if failed {
		made.Failure = strings.TrimSpace(spec.FailureMessage())
		if made.Failure == "" {
			made.Failure = "the spec ended as " + spec.State.String()
		}
		if made.Diagnostics != "" {
			made.Failure += "\ndiagnostics: " + made.Diagnostics
		}
		made.Location = location(spec.FailureLocation())
	}
	switch {
	case exemption != nil && !failed && spec.State != types.SpecStatePassed:
		made.State, made.Reason, made.Link, made.List = reports.StateExempt, exemption.Reason, exemption.Link, exemption.List
	case spec.State == types.SpecStateSkipped, spec.State == types.SpecStatePending, spec.State == types.SpecStateInvalid:
		made.State = reports.StateNotRun
		if spec.Failure.Message != "" {
			made.Reason = spec.Failure.Message
		}
	case failed:
		found := JudgeFailure(spec, samples, restartsBefore(spec), holds && failsAs(spec, defect))
		made.State, made.Doubt = found.State, found.Doubt
		switch {
		case found.State == reports.StateKnownDefect:
			explain(made, defect)
		case found.State == reports.StateUndecided:
			made.Reason = found.Reason
		case found.Reason != "":
			made.Failure = found.Reason + "\n\n" + made.Failure
		case defect != nil && !holds && failsAs(spec, defect):
			explain(made, defect)
			made.Failure = defect.Outside(subject) + "\n\n" + made.Failure
		}
	case holds && subject.Pinned:
		explain(made, defect)
		made.State = reports.StateFailed
		made.Failure = fmt.Sprintf("%s lists this spec for Istio %s, but it passed on %s: remove the entry or correct its "+
			"versions", defect.ListName(), defect.Affected, subject.Base)
	case spec.NumAttempts > 1:
		made.State = reports.StateFlaky
	default:
		made.State = reports.StatePassed
		if repaired := repairOf(defect, holds, subject); repaired != "" {
			explain(made, defect)
			made.Defect.Repaired = repaired
			if repaired == reports.RepairedSince {
				made.Defect.Release, made.Defect.Last = defect.FixedBefore(subject), defect.LastBefore(subject)
			}
		}
	}
}

// repairOf says how a spec that passed on a build was repaired; empty where no entry lists it, or the build is older
// than the range of the entry. holds says that the build is in the range, where no list has to be right.
func repairOf(defect *kindconfig.KnownDefect, holds bool, subject kindconfig.Subject) reports.Repair {
	switch {
	case holds:
		return reports.RepairedHere
	case defect != nil && defect.EndsBefore(subject):
		return reports.RepairedSince
	}
	return ""
}

// explain records the entry of a spec.
func explain(made *reports.Spec, defect *kindconfig.KnownDefect) {
	made.Reason, made.Link, made.List = defect.Reason, defect.Link, defect.List
	made.Defect = &reports.Defect{Affected: defect.Affected, Fixed: defect.Fixed, Severity: string(defect.Severity)}
}

// State is the state of one finished spec, for the display. samples matter for a spec that failed alone.
func State(job *kindconfig.Job, lists *Lists, spec types.SpecReport, samples []machine.Sample) kindconfig.Event {
	made := specOf(job, lists, spec, samples)
	message := made.Failure
	if made.State == reports.StateUndecided {
		message = made.Reason
	}
	if made.Repaired() == reports.RepairedHere {
		message = "repaired: " + made.Reason
	}
	return kindconfig.Event{
		ID: made.ID, Row: made.Row, Name: made.Name, State: string(made.State), Seconds: made.Seconds, Process: made.Process,
		Message: firstLine(message),
	}
}

func round(d time.Duration) float64 { return float64(d.Round(time.Millisecond)) / float64(time.Second) }

// location drops the folder of the machine that compiled the suite.
func location(at types.CodeLocation) string {
	name := at.FileName
	if _, after, found := strings.Cut(name, "/suites/"); found {
		name = "suites/" + after
	}
	return fmt.Sprintf("%s:%d", name, at.LineNumber)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
