package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sebdah/goldie/v2"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// cellOf makes a run one of a version.
func cellOf(r *Results, version string) *Results {
	r.Cell.Kubernetes, r.Run.ID = version, "20231124-101500/"+kindconfig.Minor(version)
	for i := range r.Images {
		if image := &r.Images[i]; image.Name == "node" {
			image.Reference, image.Digest = "mesh-conformance/node:"+version, digest(version[3])
		}
	}
	return r
}

func outcomeOf(r *Results) Outcome {
	return Outcome{Name: "cells/" + kindconfig.Minor(r.Cell.Kubernetes), Directory: kindconfig.Minor(r.Cell.Kubernetes), Results: r}
}

func matrixRun() Run {
	return Run{ID: "20231124-101500", Started: time.Date(2023, 11, 24, 10, 15, 0, 0, time.UTC), Seconds: 2045, Procs: 4, Command: "make matrix"}
}

// fail lets a spec fail in a run.
func fail(r *Results, id, message string) *Results {
	for i := range r.Specs {
		if spec := &r.Specs[i]; spec.ID == id {
			spec.State, spec.Failure, spec.Defect = StateFailed, message, nil
		}
	}
	r.Tally()
	return r
}

// matrices are kinds of matrix, each of the pinned versions.
func matrices(t *testing.T) map[string]*Matrix {
	t.Helper()
	out := map[string]*Matrix{}
	for name, outcomes := range map[string][]Outcome{
		"passed": {outcomeOf(cellOf(cleanRun(), "1.27.4")), outcomeOf(cellOf(cleanRun(), "1.28.15")),
			outcomeOf(cellOf(cleanRun(), "1.25.4")), outcomeOf(cellOf(cleanRun(), "1.26.13"))},
		"troubled": {
			outcomeOf(fail(cellOf(troubledRun(), "1.25.4"), "gatewaydeploy.managed.ready", "The Gateway <has> no address.\nExpected\n  | more")),
			{Name: "1.26", Kubernetes: "1.26.13", State: CellAborted, Why: "cannot create the cluster (kind):\n port 6443 <is> in use"},
			outcomeOf(fail(cellOf(cleanRun(), "1.27.4"), "gatewayapi.http.HTTPRouteRequestMirror", "Timed out after 30.001s.\nnothing")),
			outcomeOf(cellOf(troubledRun(), "1.28.15")),
		},
		"undecided": {outcomeOf(cellOf(undecidedRun(), "1.25.4")), {Name: "1.26", Kubernetes: "1.26.13", State: CellLeftOut},
			outcomeOf(cellOf(cleanRun(), "1.27.4")), outcomeOf(cellOf(cleanRun(), "1.28.15"))},
		"repaired": {outcomeOf(cellOf(repairedRun(), "1.25.4")), {Name: "1.26", Kubernetes: "1.26.13", State: CellLeftOut},
			outcomeOf(cellOf(repairedRun(), "1.27.4")),
			outcomeOf(fail(cellOf(repairedRun(), "1.28.15"), "gatewayapi.mesh.MeshFrontendHostname", "no header of a header"))},
		"partial": {outcomeOf(cellOf(filteredRun(), "1.25.4")), {Name: "1.26", Kubernetes: "1.26.13", State: CellLeftOut},
			{Name: "1.27", Kubernetes: "1.27.4", State: CellLeftOut}, outcomeOf(cellOf(filteredRun(), "1.28.15"))},
		"aborted": {{Name: "1.25", Kubernetes: "1.25.4", State: CellAborted, Why: "the disk is full"}, {Name: "1.28", Kubernetes: "1.28.15", State: CellNotRun}},
	} {
		m, err := Merge(matrixRun(), outcomes)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = m
	}
	return out
}

// TestMatrixSample writes the pages of realistic matrices, to be looked at.
func TestMatrixSample(t *testing.T) {
	if *sample == "" {
		return
	}
	for name, m := range matrices(t) {
		if err := m.Render(filepath.Join(*sample, "matrix-"+name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGoldenMatrix(t *testing.T) {
	golden := goldie.New(t, goldie.WithFixtureDir("testdata"), goldie.WithNameSuffix(""))
	for name, m := range matrices(t) {
		// One spec of each kind and row is enough to read.
		shown := map[string]bool{}
		m.Specs = slices.DeleteFunc(m.Specs, func(spec MatrixSpec) bool {
			kind := spec.Row
			for _, cell := range spec.Cells {
				kind += string(cell.State)
			}
			repeated := shown[kind]
			shown[kind] = true
			return repeated
		})
		dir := t.TempDir()
		if err := m.Render(dir); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{FileMatrix, fileMatrixMarkdown, fileMatrixHTML} {
			t.Run(name+"/"+file, func(t *testing.T) {
				data, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				golden.Assert(t, "matrix-"+name+"/"+file, data)
			})
		}
		var summary bytes.Buffer
		if err := m.Summary(&summary, "_output/latest", 100); err != nil {
			t.Fatal(err)
		}
		golden.Assert(t, "matrix-"+name+"/summary.txt", summary.Bytes())
	}
}

func TestMatrixVerdict(t *testing.T) {
	good := func(version string) Outcome { return outcomeOf(cellOf(cleanRun(), version)) }
	bad := func(version string) Outcome {
		return outcomeOf(fail(cellOf(cleanRun(), version), "gatewaydeploy.managed.ready", "no address"))
	}
	open := func(version string) Outcome { return outcomeOf(cellOf(undecidedRun(), version)) }
	aborted := Outcome{Name: "b", Kubernetes: "1.26.13", State: CellAborted, Why: "the engine died"}
	fewer := cellOf(cleanRun(), "1.26.13")
	fewer.Specs = fewer.Specs[:len(fewer.Specs)-2]
	for _, c := range []struct {
		name     string
		outcomes []Outcome
		code     int
		word     string
		want     string
	}{
		{"all passed", []Outcome{good("1.25.4"), good("1.26.13")}, 0, "Passed", ""},
		{"one failed", []Outcome{bad("1.25.4"), good("1.26.13")}, 1, "Failed", "Kubernetes 1.25.4: 1 spec failed"},
		{"one aborted", []Outcome{good("1.25.4"), aborted}, 3, "Incomplete", "Kubernetes 1.26.13: no verdict: the engine died"},
		{"one undecided", []Outcome{good("1.25.4"), open("1.26.13")}, 3, "Undecided",
			"Kubernetes 1.26.13: 2 specs are undecided: 1 because time ran out"},
		{"one undecided, one failed", []Outcome{bad("1.25.4"), open("1.26.13")}, 1, "Failed",
			"Kubernetes 1.25.4: 1 spec failed; Kubernetes 1.26.13: 2 specs"},
		{"one undecided, one aborted", []Outcome{open("1.25.4"), aborted}, 3, "Incomplete",
			"no verdict: the engine died; Kubernetes 1.25.4: 2 specs"},
		{"one failed with undecided specs", []Outcome{outcomeOf(fail(cellOf(undecidedRun(), "1.25.4"),
			"invariants.restarts", "it did"))}, 1, "Failed",
			"1 spec failed, 2 specs are undecided besides"},
		{"one aborted, one failed", []Outcome{bad("1.25.4"), aborted}, 3, "Failed", "Kubernetes 1.26.13: no verdict: the engine died; Kubernetes 1.25.4: 1 spec failed"},
		{"one never run", []Outcome{good("1.25.4"), {Kubernetes: "1.26.13", State: CellNotRun}}, 3, "Incomplete", "Kubernetes 1.26.13: not run"},
		{"one left out", []Outcome{good("1.25.4"), {Kubernetes: "1.26.13", State: CellLeftOut}}, 0, "Passed, in part", ""},
		{"filtered", []Outcome{outcomeOf(cellOf(filteredRun(), "1.25.4"))}, 0, "Passed, filtered", ""},
		{"all aborted", []Outcome{aborted}, 3, "Incomplete", "the engine died"},
		{"another suite", []Outcome{good("1.25.4"), outcomeOf(fewer)}, 1, "Failed", "Kubernetes 1.26.13 ran another suite: it has no invariants.rejected, invariants.restarts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Merge(matrixRun(), c.outcomes)
			if err != nil {
				t.Fatal(err)
			}
			verdict, end := m.Verdict(), m.conclude()
			if problem.ExitCode(verdict) != c.code || end.Word != c.word || end.Signable != (c.code == 0) {
				t.Errorf("exit code %d, %q, %+v; want %d, %s", problem.ExitCode(verdict), verdict, end, c.code, c.word)
			}
			if verdict != nil && (!strings.Contains(verdict.Error(), c.want) || strings.Contains(verdict.Error(), "\n")) {
				t.Errorf("%v; want %s", verdict, c.want)
			}
		})
	}
}

// TestMatrixDifferences: what has no results never differs, and never counts as a pass.
func TestMatrixDifferences(t *testing.T) {
	m := matrices(t)["troubled"]
	var got []string
	for _, spec := range m.differences() {
		got = append(got, spec.ID)
		for _, found := range m.findings(spec) {
			for _, cell := range found.Cells {
				if cell.Minor == "1.26" {
					t.Errorf("%s names the aborted cell", spec.ID)
				}
			}
		}
	}
	want := []string{"gatewaydeploy.managed.drift", "gatewaydeploy.managed.ready", "invariants.rejected"}
	if !slices.Equal(got, want) {
		t.Errorf("differences %v, want %v", got, want)
	}
	for _, row := range m.Rows {
		if row.Cells[1].State != StateNotRun || row.Cells[1].Totals.Total != 0 {
			t.Errorf("%s is %+v in the aborted cell", row.ID, row.Cells[1])
		}
	}
	if failed := m.common(StateFailed); len(failed) != 1 || failed[0].ID != "gatewayapi.http.HTTPRouteRequestMirror" || failed[0].Message != "Timed out after 30.001s." {
		t.Errorf("failed everywhere: %+v", failed)
	}
	passed := matrices(t)["passed"]
	if alike := passed.differences(); len(alike) > 0 {
		t.Errorf("equal cells differ: %+v", alike)
	}
	if want := "Passed on 1.25.4, 1.26.13, 1.27.4 and 1.28.15, 2 of 10 promises not tried."; passed.conclude().Sentence != want {
		t.Errorf("said %q, want %q", passed.conclude().Sentence, want)
	}
}

// TestMatrixOfUndecidedSpecs: an undecided spec differs from no outcome, and hides none.
func TestMatrixOfUndecidedSpecs(t *testing.T) {
	const id = "gatewaydeploy.mesh-smoke.strict"
	m, err := Merge(matrixRun(), []Outcome{outcomeOf(cellOf(undecidedRun(), "1.25.4")),
		outcomeOf(fail(cellOf(cleanRun(), "1.27.4"), id, "no mutual TLS was seen")), outcomeOf(fail(cellOf(cleanRun(),
			"1.28.15"), id, "no mutual TLS was seen"))})
	if err != nil {
		t.Fatal(err)
	}
	if specs := m.differences(); len(specs) > 0 {
		t.Errorf("differences %+v", specs)
	}
	failed := m.common(StateFailed)
	if len(failed) != 1 || failed[0].Message != "Undecided on 1.25, elsewhere: no mutual TLS was seen" {
		t.Errorf("failed on every version that decided it: %+v", failed)
	}
	var open []string
	for _, spec := range m.undecided() {
		open = append(open, spec.ID+" on "+enumerate(minorsOf(spec.Findings[0].Cells)))
	}
	if want := []string{"gatewaydeploy.managed.ready on 1.25", id + " on 1.25"}; !slices.Equal(open, want) {
		t.Errorf("undecided %q, want %q", open, want)
	}
}

func TestMatrixVerdictAllowing(t *testing.T) {
	nothing := undecidedRun()
	for i := range nothing.Specs {
		nothing.Specs[i].State, nothing.Specs[i].Doubt = StateUndecided, DoubtStarved
	}
	for name, c := range map[string]struct {
		cell *Results
		code int
	}{
		"some are undecided":  {undecidedRun(), 0},
		"all are undecided":   {nothing, problem.ExitEnvironment},
		"one failed as well":  {fail(undecidedRun(), "invariants.restarts", "it did"), problem.ExitFailedSpecs},
		"none is not decided": {cleanRun(), 0},
	} {
		m, err := Merge(matrixRun(), []Outcome{outcomeOf(c.cell)})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.VerdictAllowing(true); problem.ExitCode(got) != c.code {
			t.Errorf("%s: %v, want exit code %d", name, got, c.code)
		}
	}
}

func TestLoadMatrix(t *testing.T) {
	dir := t.TempDir()
	m := matrices(t)["troubled"]
	if err := m.Render(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileMatrix)
	loaded, err := LoadMatrix(path)
	if err != nil || loaded.Run != m.Run || len(loaded.Cells) != 4 || loaded.Cells[1].State != CellAborted {
		t.Fatalf("%+v, %v", loaded, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"another schema":   {`"schema": 2`, `"schema": 7`, "schema version 7"},
		"an unknown field": {`"schema": 2`, `"schema": 2, "colour": 2`, "colour"},
		"an unknown state": {`"state": "aborted"`, `"state": "green"`, "unknown state"},
		"a way out":        {`"directory": "1.25"`, `"directory": "../1.25"`, "lies outside"},
		"no JSON":          {`{`, `[`, "does not fit"},
	} {
		put := strings.Replace(string(content), c.old, c.new, 1)
		if put == string(content) {
			t.Fatalf("%s: %q is not there", name, c.old)
		}
		if err := os.WriteFile(path, []byte(put), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadMatrix(path); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadMatrix(filepath.Join(dir, "missing.json")); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a missing file: %v", err)
	}
}
