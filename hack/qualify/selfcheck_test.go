package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// controlResults are those of a run on an older release; filter is the run's.
func controlResults(t *testing.T, filter string, states map[string]reports.State) string {
	t.Helper()
	dir := t.TempDir()
	r := &reports.Results{
		Run:  reports.Run{ID: "r", Filter: filter, Procs: 1},
		Cell: reports.Cell{Kubernetes: "1.28.15", Istio: "1.19.0", Source: reports.SourceBuilt},
		Rows: []reports.Row{{ID: "mirroring", Title: "Mirrors"}, {ID: "invariants", Title: "No crash"}},
	}
	for id, state := range states {
		row, _, _ := strings.Cut(id, ".")
		spec := reports.Spec{ID: id, Row: row, Name: id, State: state, Attempts: 1}
		if row == "mirroring" {
			spec.Since = "1.20"
		}
		if state == reports.StateFailed {
			spec.Failure = "the release has no such promise as " + id
		}
		r.Specs = append(r.Specs, spec)
	}
	if err := r.Save(filepath.Join(dir, kindconfig.ResultsFile)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestJudgeControl(t *testing.T) {
	for name, c := range map[string]struct {
		filter string
		states map[string]reports.State
		code   int
		says   string
	}{
		"as expected": {"", map[string]reports.State{"mirroring.a": reports.StateFailed, "invariants.b": reports.StatePassed}, 0,
			"NEGATIVE CONTROL PASSED"},
		"a pass that shows nothing": {"", map[string]reports.State{"mirroring.a": reports.StatePassed,
			"mirroring.c": reports.StateFailed}, problem.ExitFailedSpecs, "mirroring.a passes and should not"},
		"a filtered run": {"--focus=x", map[string]reports.State{"mirroring.a": reports.StateFailed}, problem.ExitUsage, ""},
		"no such spec":   {"", map[string]reports.State{"invariants.b": reports.StatePassed}, problem.ExitUsage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := controlResults(t, c.filter, c.states)
			var out bytes.Buffer
			err := judgeControl(&out, dir)
			if problem.ExitCode(err) != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("got %v with\n%s", err, out.String())
			}
			if c.says == "" {
				return
			}
			again, err := reports.Load(filepath.Join(dir, kindconfig.ResultsFile))
			if err != nil || again.SelfCheck == nil {
				t.Errorf("the judgement is not in the results: %v", err)
			}
		})
	}
}

func TestJudgeControlGoesByTheBase(t *testing.T) {
	dir := controlResults(t, "", map[string]reports.State{"mirroring.a": reports.StatePassed, "invariants.b": reports.StatePassed})
	file := filepath.Join(dir, kindconfig.ResultsFile)
	r, err := reports.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	r.Cell.Istio = "1.20.0-acme.1"
	r.Subject = &kindconfig.Subject{Name: "Acme", Version: "1.20.0-acme.1", Base: "1.20.0"}
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	if err := judgeControl(io.Discard, dir); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "every promise") {
		t.Errorf("a build of 1.20.0 makes the promises of 1.20, got %v", err)
	}
}

func TestFitsOfANegativeControl(t *testing.T) {
	listing := &kindconfig.Listing{Rows: []kindconfig.ListedRow{{ID: "mirroring", Specs: []kindconfig.ListedSpec{
		{ID: "mirroring.a", Since: "1.20"}, {ID: "mirroring.b"},
	}}}}
	for name, c := range map[string]struct {
		subject kindconfig.Subject
		control bool
		code    int
	}{
		"an older release":             {kindconfig.ReleaseSubject("1.19.0"), true, 0},
		"a release that makes all":     {kindconfig.ReleaseSubject("1.21.3"), true, problem.ExitUsage},
		"the release of the promise":   {kindconfig.ReleaseSubject("1.20.0"), true, problem.ExitUsage},
		"a build of that release":      {kindconfig.Subject{Version: "1.20.0-acme.1", Base: "1.20.0"}, true, problem.ExitUsage},
		"a later release, a usual run": {kindconfig.ReleaseSubject("1.21.3"), false, 0},
	} {
		s := &site{subject: c.subject}
		if err := s.fits(runOptions{control: c.control}, listing); problem.ExitCode(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSelfcheckOfARunRefusesFlags(t *testing.T) {
	dir := controlResults(t, "", map[string]reports.State{"mirroring.a": reports.StateFailed})
	for name, c := range map[string]struct {
		flags []string
		code  int
	}{
		"a release":   {[]string{"--istio", "1.19.0"}, problem.ExitUsage},
		"its default": {[]string{"--procs", "5"}, problem.ExitUsage},
		"a folder":    {[]string{"--output", t.TempDir()}, 0},
	} {
		cmd := newCommand()
		cmd.SetOut(io.Discard)
		cmd.SetArgs(append([]string{"selfcheck-release", dir}, c.flags...))
		err := cmd.ExecuteContext(t.Context())
		if problem.ExitCode(err) != c.code || c.code != 0 && !strings.Contains(err.Error(), c.flags[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSelfcheckRunsTheOlderRelease(t *testing.T) {
	ran := ""
	broken := problem.Environment("no engine", "", "", nil)
	err := selfcheck(t.Context(), io.Discard, runOptions{}, nil, func(_ context.Context, _ io.Writer, o runOptions) (string, error) {
		ran = o.asked.Istio
		return "", broken
	})
	if ran != "1.19.0" || problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("ran %q with %v", ran, err)
	}
}
