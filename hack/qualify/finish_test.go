package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// runFolderOf makes a run's folder with results of one spec in a state; no state leaves no results.
func runFolderOf(t *testing.T, state reports.State) *kindconfig.Job {
	t.Helper()
	job := &kindconfig.Job{Run: "20260102-030405", Directory: filepath.Join(t.TempDir(), "20260102-030405")}
	if err := os.Mkdir(job.Directory, 0o755); err != nil {
		t.Fatal(err)
	}
	if state != "" {
		spec := reports.Spec{ID: "mirroring.copies", Row: "mirroring", Name: "copies", State: state, Seconds: 1}
		if state == reports.StateUndecided {
			spec.Doubt, spec.Lag = reports.DoubtStarved, &reports.Lag{Runnable: 45, Worst: 1600}
		}
		saveResults(t, job.Directory, spec)
	}
	return job
}

func saveResults(t *testing.T, dir string, specs ...reports.Spec) {
	t.Helper()
	rows := map[string]bool{}
	r := &reports.Results{
		Run:   reports.Run{ID: filepath.Base(dir), Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Procs: 1},
		Cell:  reports.Cell{Kubernetes: "1.28.15", Istio: "1.20.0", Source: reports.SourceBuilt},
		Specs: specs,
	}
	for _, spec := range specs {
		if !rows[spec.Row] {
			rows[spec.Row] = true
			r.Rows = append(r.Rows, reports.Row{ID: spec.Row, Title: spec.Row})
		}
	}
	if err := r.Save(filepath.Join(dir, kindconfig.ResultsFile)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFinish(t *testing.T) {
	died := problem.Environment("the container engine died during the run", "log", "run again", nil)
	specsFailed := errors.New("exit status 1")
	for _, c := range []struct {
		name        string
		state       reports.State
		environment string
		log         string
		cause       error
		code        int
		want        string
		reported    bool
	}{
		{name: "all passed", state: reports.StatePassed, reported: true},
		{name: "known defects are no failure", state: reports.StateKnownDefect, reported: true},
		{name: "a spec failed", state: reports.StateFailed, code: 1, want: "1 spec failed", reported: true},
		{name: "a spec is undecided", state: reports.StateUndecided, code: 3, reported: true,
			want: "1 spec is undecided, because time ran out while the machine was starved (at worst 45 runnable threads " +
				"per core, a timer 1.60 s late); run again"},
		{name: "a spec did not run", state: reports.StateNotRun, code: 1, want: "no spec ran", reported: true},
		{name: "not provisioned", state: reports.StateNotRun, environment: "cannot create the cluster\n", code: 3, want: "cannot create the cluster ("},
		{name: "not provisioned, nor results", environment: "cannot create the cluster", code: 3, want: "cannot create the cluster ("},
		{name: "interrupted", state: reports.StateFailed, cause: context.Canceled, code: 3, want: "interrupted: no verdict; run the same command to go on"},
		{name: "interrupted with everything passed", state: reports.StatePassed, cause: context.Canceled, code: 3, want: "interrupted: no verdict"},
		{name: "interrupted in provisioning", environment: "context canceled", cause: context.Canceled, code: 3, want: "interrupted: no verdict"},
		{name: "the engine died", state: reports.StateFailed, cause: died, code: 3, want: "the container engine died during the run (log); run again"},
		{name: "the engine died in provisioning", environment: "docker run failed", cause: died, code: 3, want: "the container engine died"},
		{name: "crashed", log: "x\npanic: assignment to entry in nil map\n\ngoroutine 1\n", code: 3, want: "panic: assignment to entry in nil map; read its end"},
		{name: "vanished", log: "x\n", code: 3, want: "exit status 1; read its end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := runFolderOf(t, c.state)
			if c.environment != "" {
				put(t, job.Path(kindconfig.EnvironmentFile), c.environment)
			}
			put(t, job.Path(suiteLog), c.log)
			ctx, cancel := context.WithCancelCause(t.Context())
			if c.cause != nil {
				cancel(c.cause)
			}
			defer cancel(nil)
			var out bytes.Buffer
			err := finish(ctx, &out, job, specsFailed, false)
			if problem.ExitCode(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("exit code %d, %v; want %d, %s", problem.ExitCode(err), err, c.code, c.want)
			}
			_, statErr := os.Stat(job.Path("report.html"))
			if (statErr == nil) != c.reported || (out.Len() > 0) != c.reported {
				t.Errorf("reported: %v, %q; want %v", statErr, out.String(), c.reported)
			}
			// What a run ended with, qualify report gives again.
			again := report(&out, filepath.Dir(job.Directory), []string{job.Run})
			if problem.ExitCode(again) != c.code || (again != nil && !strings.Contains(again.Error(), strings.SplitN(c.want, ";", 2)[0])) {
				t.Errorf("the report's exit code %d, %v", problem.ExitCode(again), again)
			}
		})
	}
}

func TestReportOfSeveralRuns(t *testing.T) {
	good, bad := runFolderOf(t, reports.StatePassed), runFolderOf(t, reports.StateFailed)
	var out bytes.Buffer
	err := report(&out, "/nowhere", []string{good.Directory, bad.Directory})
	if problem.ExitCode(err) != problem.ExitFailedSpecs || err.Error() != bad.Directory+": 1 spec failed" {
		t.Errorf("a failed run among several: %v", err)
	}
	err = report(&out, "/nowhere", []string{bad.Directory, "missing", good.Directory})
	if problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("the gravest is a missing run: %v", err)
	}
	undecided := runFolderOf(t, reports.StateUndecided)
	err = report(&out, "/nowhere", []string{undecided.Directory, bad.Directory})
	if problem.ExitCode(err) != problem.ExitFailedSpecs || !strings.HasPrefix(err.Error(),
		bad.Directory+": 1 spec failed\n") {
		t.Errorf("a failed run beside an undecided one: %v", err)
	}
	if err := report(&out, "/nowhere", []string{undecided.Directory, good.Directory}); !problem.IsUndecided(err) {
		t.Errorf("an undecided run beside a good one: %v", err)
	}
	if err := report(&out, "/nowhere", []string{good.Directory}); err != nil {
		t.Errorf("a good run: %v", err)
	}
}

func TestReportFollowsLatest(t *testing.T) {
	job := runFolderOf(t, reports.StateFailed)
	output := filepath.Dir(job.Directory)
	if err := pointLatest(output, job.Run); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report(&out, output, nil); problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Errorf("the newest run: %v", err)
	}
	if !strings.Contains(out.String(), filepath.Join(job.Run, "report.html")) {
		t.Errorf("the summary does not name the run's folder:\n%s", out.String())
	}
	if err := os.RemoveAll(job.Directory); err != nil {
		t.Fatal(err)
	}
	if err := report(&out, output, nil); problem.ExitCode(err) != problem.ExitUsage || !strings.HasPrefix(err.Error(), "there is no run yet") {
		t.Errorf("a link to a run that was removed: %v", err)
	}
}
