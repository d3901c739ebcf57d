package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

func TestMerge(t *testing.T) {
	in := t.TempDir()
	cell := func(name string) string { return filepath.Join(in, name) }
	for _, version := range []string{"1.25.4", "1.26.13", "1.27.4", "1.28.15"} {
		cellResults(t, cell("good-"+version), version, reports.StatePassed)
	}
	cellResults(t, cell("failed"), "1.28.15", reports.StateFailed)
	if err := os.MkdirAll(filepath.Join(cell("failed"), "diagnostics", "spec"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(cell("failed"), "diagnostics", "spec", "pods.txt"), "pods")
	noResults(t, cell("aborted"), "1.26.13", "interrupted: no verdict")
	cellResults(t, cell("malformed"), "1.28.15", reports.StatePassed)
	put(t, filepath.Join(cell("malformed"), kindconfig.ResultsFile), `{"schema": 2, "x": 2}`)
	cellResults(t, cell("versionless"), "", reports.StatePassed)
	cellResults(t, cell("way-out"), "../..", reports.StatePassed)
	if err := os.Mkdir(cell("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(cell("empty"), kindconfig.EnvironmentFile), "no engine")
	good := "good-1.25.4 good-1.26.13 good-1.27.4 "

	for _, c := range []struct {
		name     string
		dirs     string
		expected []string
		code     int
		want     string
	}{
		{"all passed", good + "good-1.28.15", nil, 0, ""},
		{"one failed", good + "failed", nil, 1, "Kubernetes 1.28.15: 1 spec failed"},
		{"one aborted", "aborted good-1.25.4 good-1.27.4 good-1.28.15", nil, 3, "Kubernetes 1.26.13: no verdict: interrupted: no verdict"},
		{"one missing", good, nil, 3, "Kubernetes 1.28.15: not run: no folder has results of it"},
		{"one not expected", good, []string{"1.25", "1.26", "1.27"}, 0, ""},
		{"one more than expected", good, []string{"1.25"}, 0, ""},
		{"twice", good + "good-1.28.15 failed", nil, 2, "two results of the same cell, Kubernetes 1.28 ("},
		{"nothing", "missing", nil, 2, "there is no run"},
		{"no results", "good-1.25.4 " + filepath.Base(in), nil, 2, "there are no results"},
		{"malformed", good + "malformed", nil, 2, `the results do not fit the schema: json: unknown field "x"`},
		{"of no version", good + "versionless", nil, 2, `the cell's Kubernetes version is ""`},
		{"of a version that leads out", good + "way-out", nil, 2, `the cell's Kubernetes version is`},
		{"aborted before it had a job", good + "empty", nil, 2, "a run without a verdict does not say of which Kubernetes version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dirs []string
			for _, name := range strings.Fields(c.dirs) {
				if name == filepath.Base(in) {
					dirs = append(dirs, in)
					continue
				}
				dirs = append(dirs, cell(name))
			}
			var out bytes.Buffer
			into := filepath.Join(t.TempDir(), "matrix")
			o := mergeOptions{kubernetes: c.expected, into: into, output: t.TempDir()}
			err := merge(&out, o, dirs)
			if problem.ExitCode(err) != c.code || (err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n"))) {
				t.Fatalf("exit code %d, %v; want %d, %s", problem.ExitCode(err), err, c.code, c.want)
			}
			_, statErr := os.Stat(filepath.Join(into, "matrix.html"))
			if (statErr == nil) != (c.code != problem.ExitUsage) {
				t.Fatalf("written: %v", statErr)
			}
			if c.code == problem.ExitUsage {
				if _, err := os.Stat(into); err == nil {
					t.Error("what is refused left a folder")
				}
				return
			}
			// The same again, into the same place, from the same and from the matrix itself.
			for _, sources := range [][]string{dirs, {into}} {
				if again := merge(&out, o, sources); problem.ExitCode(again) != c.code {
					t.Errorf("from %v again: %v", sources, again)
				}
			}
			if err := report(&out, in, []string{into}); problem.ExitCode(err) != c.code {
				t.Errorf("its report: %v", err)
			}
		})
	}
}

func TestMergeCopiesWhatTheReportsLinkTo(t *testing.T) {
	in, output := t.TempDir(), t.TempDir()
	cellResults(t, filepath.Join(in, "a"), "1.28.15", reports.StateFailed)
	if err := os.MkdirAll(filepath.Join(in, "a", "diagnostics", "spec"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(in, "a", "diagnostics", "spec", "pods.txt"), "pods")
	var out bytes.Buffer
	err := merge(&out, mergeOptions{kubernetes: []string{"1.28"}, output: output}, []string{filepath.Join(in, "a")})
	if problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Fatal(err)
	}
	latest := filepath.Join(output, latestLink)
	for _, file := range []string{"matrix.html", "matrix.md", "matrix.json", "1.28/report.html", "1.28/results.json", "1.28/diagnostics/spec/pods.txt"} {
		if _, err := os.Stat(filepath.Join(latest, file)); err != nil {
			t.Error(err)
		}
	}
	if err := report(&out, output, nil); problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Errorf("the report of the newest: %v", err)
	}
}

func TestMergeLeavesForeignFoldersAlone(t *testing.T) {
	in, into := t.TempDir(), t.TempDir()
	cellResults(t, in, "1.28.15", reports.StatePassed)
	foreign := filepath.Join(into, "1.28", "thesis.txt")
	if err := os.Mkdir(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, foreign, "years of work")
	var out bytes.Buffer
	err := merge(&out, mergeOptions{into: into, output: t.TempDir()}, []string{in})
	if problem.ExitCode(err) != problem.ExitUsage || !strings.HasPrefix(err.Error(), "a folder is in the way") {
		t.Errorf("got %v", err)
	}
	if content, err := os.ReadFile(foreign); err != nil || string(content) != "years of work" {
		t.Errorf("%q, %v", content, err)
	}
}
