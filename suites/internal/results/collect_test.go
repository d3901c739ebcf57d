package results

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/spec"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func job() *kindconfig.Job {
	return &kindconfig.Job{Run: "r", Started: begun, Procs: 2, Cell: kindconfig.Cell{
		Kubernetes: "1.28.15", Istio: "1.20.0", Subject: kindconfig.ReleaseSubject("1.20.0"), Source: "built", ProxyFlavour: "upstream", ProxyVersion: "1.40.0",
	}}
}

// it is a spec whose id is, where its labels name a row, the row's label, a dot and the text with hyphens for spaces.
func it(text string, state types.SpecState, labels ...string) types.SpecReport {
	return called(types.SpecReport{
		LeafNodeType: types.NodeTypeIt, LeafNodeLabels: labels, State: state, NumAttempts: 1,
		StartTime: begun.Add(time.Second), RunTime: 1500 * time.Millisecond, ParallelProcess: 2,
		LeafNodeLocation: types.CodeLocation{FileName: "/elsewhere/suites/mirroring/mirrors.go", LineNumber: 7},
	}, text)
}

// called gives a spec a text, and the id that belongs to it.
func called(report types.SpecReport, text string) types.SpecReport {
	report.LeafNodeText, report.LeafNodeLabels = text, spec.Shown(report.LeafNodeLabels)
	if row, ok := catalogue.RowOf(report.LeafNodeLabels); ok {
		id := catalogue.Label(row.ID) + "." + strings.ReplaceAll(text, " ", "-")
		report.LeafNodeLabels = append(report.LeafNodeLabels, id)
	}
	return report
}

func failing(message string, labels ...string) types.SpecReport {
	spec := it("copies the share", types.SpecStateFailed, labels...)
	spec.Failure = types.Failure{Message: message}
	return spec
}

func TestSpecName(t *testing.T) {
	within := func(spec types.SpecReport, containers ...string) types.SpecReport {
		spec.ContainerHierarchyTexts = containers
		return spec
	}
	for want, spec := range map[string]types.SpecReport{
		"A mirror gets all: at a gateway": within(it("at a gateway", types.SpecStatePassed, catalogue.Mirroring), "A mirror", "gets all:"),
		"HTTPRouteMatching: a route":      within(it("HTTPRouteMatching: a route", types.SpecStatePassed, catalogue.GatewayAPIHTTP), "conformance", "lane base"),
	} {
		if got := SpecName(spec); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSpecID(t *testing.T) {
	for want, labels := range map[string][]string{
		"mirroring.shares-sidecar": {catalogue.Mirroring, "mirroring.shares-sidecar", catalogue.Smoke},
		"":                         {catalogue.Mirroring, catalogue.Smoke},
	} {
		report := types.SpecReport{ContainerHierarchyLabels: [][]string{labels[:1]}, LeafNodeLabels: labels[1:]}
		if got := SpecID(report); got != want {
			t.Errorf("labels %v: SpecID = %q, want %q", labels, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	const id = "mirroring.copies-the-share"
	lists := &Lists{KnownDefects: []kindconfig.KnownDefect{
		{Spec: id, Reason: "known", Link: "l", Affected: ">=1.20.0 <1.20.7", Fixed: "1.20.7", Message: "500 of 1000"},
	}}
	exempt := &Lists{Exemptions: []kindconfig.Exemption{{Spec: id, Reason: "no filter", Link: "l",
		Extensions: []string{"istio.alpn"}}}}
	retried := it("copies the share", types.SpecStatePassed, catalogue.Mirroring)
	retried.NumAttempts = 2
	panicked := failing("500 of 1000", catalogue.Mirroring)
	panicked.State = types.SpecStatePanicked
	cases := map[string]struct {
		lists *Lists
		spec  types.SpecReport
		want  reports.State
		says  string
	}{
		"passes":                        {&Lists{}, it("copies the share", types.SpecStatePassed, catalogue.Mirroring), reports.StatePassed, ""},
		"fails":                         {&Lists{}, failing("got 3", catalogue.Mirroring), reports.StateFailed, "got 3"},
		"times out without a word":      {&Lists{}, it("copies the share", types.SpecStateTimedout, catalogue.Mirroring), reports.StateFailed, "timedout"},
		"passes at the second try":      {&Lists{}, retried, reports.StateFlaky, ""},
		"is skipped":                    {&Lists{}, it("copies the share", types.SpecStateSkipped, catalogue.Mirroring), reports.StateNotRun, ""},
		"fails as known":                {lists, failing("got 500 of 1000", catalogue.Mirroring), reports.StateKnownDefect, "500"},
		"fails otherwise than known":    {lists, failing("connection refused", catalogue.Mirroring), reports.StateFailed, "refused"},
		"panics beside a known defect":  {lists, panicked, reports.StateFailed, "500"},
		"passes although known to fail": {lists, it("copies the share", types.SpecStatePassed, catalogue.Mirroring), reports.StateFailed, "remove the entry"},
		"is exempt":                     {exempt, it("copies the share", types.SpecStateSkipped, catalogue.Mirroring), reports.StateExempt, ""},
		"fails although exempt":         {exempt, failing("got 3", catalogue.Mirroring), reports.StateFailed, "got 3"},
		"runs and passes though exempt": {exempt, it("copies the share", types.SpecStatePassed, catalogue.Mirroring), reports.StatePassed, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			made := specOf(job(), c.lists, c.spec, nil)
			if made.State != c.want || !strings.Contains(made.Failure, c.says) {
				t.Errorf("state %s with %q, want %s with %q", made.State, made.Failure, c.want, c.says)
			}
		})
	}
}

func TestFailsAsKnownBeforeTheStateTells(t *testing.T) {
	lists := &Lists{KnownDefects: []kindconfig.KnownDefect{
		{Spec: "mirroring.without-a-message", Affected: "1.20.0"},
		{Spec: "mirroring.by-its-message", Affected: "1.20.0", Message: "500"},
	}}
	subject := kindconfig.ReleaseSubject("1.20.0")
	for text, want := range map[string]bool{"without a message": false, "by its message": false, "other": false} {
		// Upstream's tests are diagnosed before Ginkgo is told that they have failed.
		if got := lists.FailsAsKnown(it(text, types.SpecStateInvalid, catalogue.Mirroring), subject); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	listed := &Lists{KnownDefects: []kindconfig.KnownDefect{
		{Spec: "mirroring.copies-the-share", Affected: ">=1.20.0 <1.20.7", Message: "500"},
	}}
	for version, want := range map[string]bool{"1.20.0": true, "1.20.6": true, "1.20.7": false, "unknown": false} {
		subject := kindconfig.ReleaseSubject(version)
		if got := listed.FailsAsKnown(failing("got 500", catalogue.Mirroring), subject); got != want {
			t.Errorf("%s: %t", version, got)
		}
	}
}

func TestJudgeByTheRangeOfADefect(t *testing.T) {
	const range20, range21 = ">=1.20.0 <1.20.7", ">=1.20.0 <=1.21.3"
	defect := func(affected, fixed, list string) *Lists {
		return &Lists{KnownDefects: []kindconfig.KnownDefect{{Spec: "mirroring.copies-the-share", Reason: "r", Link: "l",
			Affected: affected, Fixed: fixed, Severity: kindconfig.SeverityTraffic, Message: "500 of 1000", List: list}}}
	}
	release := kindconfig.ReleaseSubject
	source := func(base string) kindconfig.Subject {
		return kindconfig.Subject{Name: "a tree", Version: "1.20-dev", Base: base, Origin: kindconfig.OriginSource}
	}
	passes := it("copies the share", types.SpecStatePassed, catalogue.Mirroring)
	flaky := passes
	flaky.NumAttempts = 2
	fails := failing("got 500 of 1000", catalogue.Mirroring)
	for name, c := range map[string]struct {
		lists    *Lists
		subject  kindconfig.Subject
		spec     types.SpecReport
		state    reports.State
		repaired reports.Repair
		release  string
		last     string
		says     string
	}{
		"passes on a pinned release of the range": {defect(range20, "1.20.7", ""), release("1.20.1"), passes,
			reports.StateFailed, "", "", "", "known-defects.yaml lists this spec for Istio >=1.20.0 <1.20.7, but it passed on 1.20.1"},
		"passes against a vendor's list": {defect(range20, "1.20.7", "acme.yaml"), release("1.20.1"), passes,
			reports.StateFailed, "", "", "", "acme.yaml lists this spec"},
		"passes on a tree of the range": {defect(range20, "1.20.7", ""), source("1.20.0"), passes, reports.StatePassed,
			reports.RepairedHere, "", "", ""},
		"passes on a tree at the second try": {defect(range20, "1.20.7", ""), source("1.20.0"), flaky, reports.StateFlaky, "",
			"", "", ""},
		"passes on a later release": {defect(range20, "1.20.7", ""), release("1.21.3"), passes, reports.StatePassed,
			reports.RepairedSince, "1.20.7", "1.20.0", ""},
		"passes beyond what is known": {defect(range21, "", ""), release("1.22.0"), passes, reports.StatePassed,
			reports.RepairedSince, "", "1.21.3", ""},
		"passes on an older release": {defect(range20, "1.20.7", ""), release("1.19.0"), passes, reports.StatePassed, "", "",
			"", ""},
		"fails on a tree of the range": {defect(range20, "1.20.7", ""), source("1.20.0"), fails, reports.StateKnownDefect, "",
			"", "", "got 500"},
		"is back": {defect(range20, "1.20.7", ""), release("1.20.8"), fails, reports.StateFailed, "", "", "",
			"repaired in 1.20.7: it is back"},
		"fails beyond what is known": {defect(range21, "", ""), release("1.22.0"), fails, reports.StateFailed, "", "", "",
			"widen the range"},
		"fails otherwise on a later release": {defect(range20, "1.20.7", ""), release("1.20.8"),
			failing("refused", catalogue.Mirroring), reports.StateFailed, "", "", "", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			run := job()
			run.Cell.Subject = c.subject
			made := specOf(run, c.lists, c.spec, nil)
			if made.State != c.state || made.Repaired() != c.repaired || !strings.Contains(made.Failure, c.says) {
				t.Errorf("it is %s, repaired %q, with %q", made.State, made.Repaired(), made.Failure)
			}
			if c.repaired != "" && (made.Defect.Release != c.release || made.Defect.Last != c.last || made.Reason != "r") {
				t.Errorf("the entry is %+v", made.Defect)
			}
		})
	}
}

func TestABuildThatIsPlacedNowhereIsAProblem(t *testing.T) {
	run := job()
	run.Cell.Subject.Base = "unknown"
	report := types.Report{EndTime: begun, SpecReports: types.SpecReports{it("a", types.SpecStatePassed, catalogue.Mirroring)}}
	if all := strings.Join(Collect(run, &Lists{}, report, nil).Problems, "\n"); !strings.Contains(all, "no release") {
		t.Errorf("problems %q", all)
	}
	report.SuiteConfig.DryRun = true
	if all := strings.Join(Collect(run, &Lists{}, report, nil).Problems, "\n"); strings.Contains(all, "no release") {
		t.Errorf("problems of a dry run %q", all)
	}
}

func TestSpecOfCarriesWhatWasSeen(t *testing.T) {
	spec := failing("got 3", catalogue.Mirroring)
	for _, entry := range []struct {
		name  string
		value any
	}{
		{evidence.EntryEvidence, evidence.Item{Level: evidence.LevelConfig, Name: "mirrors", Value: "2"}},
		{evidence.EntryEvidence, evidence.Item{Level: evidence.LevelTraffic, Name: "answers", Value: "1000 × 200"}},
		{evidence.EntryReplay, "kubectl get pods"},
		{EntryDiagnostics, "diagnostics/mirroring"},
	} {
		// As it arrives from another process: JSON and text, no value.
		wrapped := types.WrapEntryValue(entry.value)
		encoded, err := wrapped.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var arrived types.ReportEntryValue
		if err := arrived.UnmarshalJSON(encoded); err != nil {
			t.Fatal(err)
		}
		spec.ReportEntries = append(spec.ReportEntries, types.ReportEntry{Name: entry.name, Value: arrived})
	}
	made := specOf(job(), &Lists{}, spec, nil)
	if made.Level != reports.LevelTraffic || len(made.Evidence) != 2 || made.Evidence[1].Value != "1000 × 200" {
		t.Errorf("evidence %v at level %s", made.Evidence, made.Level)
	}
	if len(made.Replay) != 1 || made.Replay[0] != "kubectl get pods" {
		t.Errorf("replay %q", made.Replay)
	}
	if made.Diagnostics != "diagnostics/mirroring" || !strings.Contains(made.Failure, "diagnostics/mirroring") {
		t.Errorf("diagnostics %q, failure %q", made.Diagnostics, made.Failure)
	}
	if made.Seconds != 1.5 || made.Start != 1 || made.Process != 2 {
		t.Errorf("timing %+v", made)
	}
}

func TestSpecOfReadsEntriesOfItsOwnProcess(t *testing.T) {
	spec := it("copies the share", types.SpecStatePassed, catalogue.Mirroring)
	spec.ReportEntries = types.ReportEntries{
		{Name: evidence.EntryEvidence, Value: types.WrapEntryValue(evidence.Item{Level: evidence.LevelAPI, Name: "status", Value: "Accepted"})},
		{Name: evidence.EntryReplay, Value: types.WrapEntryValue("kubectl get gateway")},
	}
	made := specOf(job(), &Lists{}, spec, nil)
	if made.Level != reports.LevelAPI || len(made.Evidence) != 1 || len(made.Replay) != 1 {
		t.Errorf("evidence %v at level %q, replay %q", made.Evidence, made.Level, made.Replay)
	}
}

func TestCollectFindsFaults(t *testing.T) {
	setup := types.SpecReport{LeafNodeType: types.NodeTypeSynchronizedBeforeSuite, State: types.SpecStateFailed,
		Failure: types.Failure{Message: "provisioning: no engine"}}
	lists := &Lists{
		Exemptions:   []kindconfig.Exemption{{Spec: "mirroring.gone", Reason: "r", Link: "l", List: "acme.yaml"}},
		KnownDefects: []kindconfig.KnownDefect{{Spec: "upgrade.gone", Reason: "r", Link: "l", Affected: "1.20.0"}},
	}
	r := Collect(job(), lists, types.Report{EndTime: begun.Add(time.Minute), SpecReports: types.SpecReports{
		setup,
		it("a", types.SpecStatePassed, catalogue.Mirroring),
		it("a", types.SpecStatePassed, catalogue.Mirroring),
		it("b", types.SpecStatePassed),
	}}, nil)
	all := strings.Join(r.Problems, "\n")
	for _, want := range []string{"provisioning: no engine", "two specs have the id mirroring.a", "name no row",
		"acme.yaml names a spec that does not exist: mirroring.gone", "known-defects.yaml names a spec that does not exist: upgrade.gone",
		"no spec is there for row upgrade"} {
		if !strings.Contains(all, want) {
			t.Errorf("problems do not say %q:\n%s", want, all)
		}
	}
	if len(r.Rows) != len(catalogue.Rows()) || r.Run.Seconds != 60 {
		t.Errorf("%d rows, %v s", len(r.Rows), r.Run.Seconds)
	}
}

func TestCollectOfACleanRunHasNoFault(t *testing.T) {
	specs := types.SpecReports{it("a", types.SpecStatePassed, catalogue.Mirroring)}
	for _, row := range catalogue.Rows() {
		name := "b"
		if strings.HasPrefix(row.ID, "gatewayapi/") {
			name = "ShortName"
		}
		// A filtered run knows of the others.
		specs = append(specs, it(name, types.SpecStateSkipped, catalogue.Label(row.ID)))
	}
	r := Collect(job(), &Lists{}, types.Report{EndTime: begun, SpecReports: specs}, nil)
	if len(r.Problems) != 0 || r.Totals.Passed != 1 {
		t.Errorf("problems %q, totals %+v", r.Problems, r.Totals)
	}
	if at := r.Specs[0].Location; at != "suites/mirroring/mirrors.go:7" {
		t.Errorf("location %q names the machine that compiled it", at)
	}
}

func TestARunThatWasNotProvisionedHasOneProblem(t *testing.T) {
	setup := func(message string) types.SpecReport {
		return types.SpecReport{LeafNodeType: types.NodeTypeSynchronizedBeforeSuite, State: types.SpecStateFailed,
			Failure: types.Failure{Message: message}}
	}
	r := Collect(job(), &Lists{KnownDefects: []kindconfig.KnownDefect{{Spec: "upgrade.gone"}}}, types.Report{EndTime: begun,
		SpecReports: types.SpecReports{
			setup("provisioning: istiod does not start"),
			setup("SynchronizedBeforeSuite failed on Ginkgo parallel process #1\nThe first process says why."),
		}}, nil)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "istiod does not start") {
		t.Errorf("problems %q", r.Problems)
	}
}

func TestSetSpan(t *testing.T) {
	labels := []string{catalogue.Istioctl, "istioctl.later", "since:1.21"}
	for name, c := range map[string]struct {
		state types.SpecState
		every bool
		want  reports.State
	}{
		"did not run":                         {types.SpecStateSkipped, false, reports.StateExempt},
		"did not run, though every one is to": {types.SpecStateSkipped, true, reports.StateNotRun},
		"failed all the same":                 {types.SpecStateFailed, false, reports.StateFailed},
	} {
		t.Run(name, func(t *testing.T) {
			job := job()
			job.EveryPromise, job.Cell.Subject = c.every, kindconfig.ReleaseSubject("1.20.0")
			made := specOf(job, &Lists{}, types.SpecReport{LeafNodeLabels: labels, State: c.state}, nil)
			if made.State != c.want || made.Since != "1.21" || made.State == reports.StateExempt && made.Reason != "promised since 1.21" {
				t.Errorf("%s since %s, %q, want %s", made.State, made.Since, made.Reason, c.want)
			}
		})
	}
}
