package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

func pinned(t *testing.T) *kindconfig.Versions {
	t.Helper()
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

func minorsOf(cells []kindconfig.Kubernetes) string {
	var minors []string
	for _, cell := range cells {
		minors = append(minors, cell.Minor)
	}
	return strings.Join(minors, " ")
}

func TestChosen(t *testing.T) {
	for _, c := range []struct {
		asked []string
		want  string
		bad   string
	}{
		{nil, "1.28 1.27 1.26 1.25", ""},
		{[]string{"1.26", "v1.28.15"}, "1.26 1.28", ""},
		{[]string{"1.25", " 1.27"}, "1.25 1.27", ""},
		{[]string{"1.25", "1.25"}, "", "asked for twice"},
		{[]string{"1.24"}, "", "unknown Kubernetes version"},
		{[]string{""}, "", "an empty version"},
	} {
		cells, err := chosen(pinned(t), c.asked)
		if minorsOf(cells) != c.want || (err == nil) != (c.bad == "") || (err != nil && (!strings.Contains(err.Error(), c.bad) || problem.ExitCode(err) != problem.ExitUsage)) {
			t.Errorf("chosen(%q) = %s, %v; want %s %s", c.asked, minorsOf(cells), err, c.want, c.bad)
		}
	}
}

// cellResults saves results of one spec, as a cell's suite would.
func cellResults(t *testing.T, dir, version string, state reports.State) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	saveResults(t, dir, reports.Spec{ID: "mirroring.copies", Row: "mirroring", Name: "copies", State: state, Seconds: 1, Failure: "no copy came"})
	path := filepath.Join(dir, kindconfig.ResultsFile)
	r, err := reports.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Cell.Kubernetes = version
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
}

// noResults leaves what a cell without a verdict leaves.
func noResults(t *testing.T, dir, version, why string) {
	t.Helper()
	job := &kindconfig.Job{Directory: dir, Cell: kindconfig.Cell{Kubernetes: version}}
	if err := errors.Join(os.MkdirAll(dir, 0o755), job.Save(), noVerdict(dir, errors.New(why))); err == nil || err.Error() != why {
		t.Fatal(err)
	}
}

// TestCellsInTurn: a cell that fails, aborts or cannot be built does not stop the others.
func TestCellsInTurn(t *testing.T) {
	dir := t.TempDir()
	versions := pinned(t)
	cells, err := chosen(versions, []string{"1.28", "1.27", "1.26", "1.25"})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	made, wait := buildInTurn(t.Context(), cells, func(_ context.Context, k kindconfig.Kubernetes) (*kindconfig.Cell, error) {
		order = append(order, k.Minor)
		if k.Minor == "1.27" {
			return nil, problem.Environment("the disk is full", "", "", nil)
		}
		return &kindconfig.Cell{Kubernetes: k.Version}, nil
	})
	wait()
	if want := []string{"1.28", "1.27", "1.26", "1.25"}; !slices.Equal(order, want) {
		t.Errorf("built in the order %v, want %v", order, want)
	}
	var out bytes.Buffer
	outcomes := cellsInTurn(t.Context(), sayTo(&out), dir, cells, made, func(k kindconfig.Kubernetes, cell *kindconfig.Cell) error {
		folder := filepath.Join(dir, k.Minor)
		switch k.Minor {
		case "1.26":
			noResults(t, folder, cell.Kubernetes, "cannot create the cluster")
			return errors.New("cannot create the cluster")
		case "1.28":
			cellResults(t, folder, cell.Kubernetes, reports.StateFailed)
			return problem.FailedSpecs("1 spec failed")
		}
		cellResults(t, folder, cell.Kubernetes, reports.StatePassed)
		return nil
	})
	err = renderMatrix(&out, dir, reports.Run{ID: "x"}, without(outcomes, versions, cells, ""), false)
	want := "Kubernetes 1.26.13: no verdict: cannot create the cluster; Kubernetes 1.27.4: no verdict: the disk is full; Kubernetes 1.28.15: 1 spec failed"
	if problem.ExitCode(err) != problem.ExitEnvironment || err.Error() != want {
		t.Errorf("exit code %d, %v; want 3, %s", problem.ExitCode(err), err, want)
	}
	// qualify report gives the same again, also of the cell that has no folder.
	if again := report(&out, filepath.Dir(dir), []string{filepath.Base(dir)}); again == nil || again.Error() != want {
		t.Errorf("again: %v", again)
	}
	if _, err := os.Stat(filepath.Join(dir, "1.28", "report.html")); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "matrix.html"))
	if err != nil || !bytes.Contains(page, []byte(`href="1.28/report.html"`)) || bytes.Contains(page, []byte(`href="1.26/report.html"`)) {
		t.Errorf("the page links to what is not there, or not to what is: %v", err)
	}
}

func TestAnInterruptEndsTheMatrix(t *testing.T) {
	cells, err := chosen(pinned(t), []string{"1.28", "1.27"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	made, wait := buildInTurn(ctx, cells, func(ctx context.Context, k kindconfig.Kubernetes) (*kindconfig.Cell, error) {
		if k.Minor == "1.27" {
			<-ctx.Done()
		}
		return &kindconfig.Cell{}, ctx.Err()
	})
	ran := 0
	dir := t.TempDir()
	var out bytes.Buffer
	outcomes := cellsInTurn(ctx, sayTo(&out), dir, cells, made, func(k kindconfig.Kubernetes, _ *kindconfig.Cell) error {
		ran++
		cellResults(t, filepath.Join(dir, k.Minor), k.Version, reports.StatePassed)
		cancel()
		return nil
	})
	wait()
	if ran != 1 || len(outcomes) != 0 || !errors.Is(made[1].err, context.Canceled) {
		t.Errorf("ran %d cells, outcomes %+v, the second build ended with %v", ran, outcomes, made[1].err)
	}
}

func TestBuiltAll(t *testing.T) {
	cells, err := chosen(pinned(t), []string{"1.28", "1.27"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	good, bad := &cellImages{cell: &kindconfig.Cell{Node: "node:1.28"}}, &cellImages{err: problem.Usage("no pins", "", "")}
	if err := builtAll(sayTo(&out), cells, []*cellImages{good, good}); err != nil {
		t.Error(err)
	}
	if err := builtAll(sayTo(&out), cells, []*cellImages{good, bad}); problem.ExitCode(err) != problem.ExitUsage || !strings.HasPrefix(err.Error(), "on Kubernetes 1.27.4: no pins") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "everything is built for Kubernetes 1.28.15: node:1.28") {
		t.Errorf("said %q", out.String())
	}
}

func TestMatrixDiskNeed(t *testing.T) {
	cells, err := chosen(pinned(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	need := matrixDiskNeed(cells)
	cold := need(cache)
	for _, cell := range cells {
		if err := os.MkdirAll(filepath.Join(cache, "artifacts", "node-"+cell.Version+"-abc"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if warm := need(cache); warm != warmNeed || cold <= coldNeed {
		t.Errorf("%d bytes warm, %d cold", warm, cold)
	}
}

func TestScreen(t *testing.T) {
	var out, specs bytes.Buffer
	s := &screen{out: &out}
	say := sayTo(s)
	say("before")
	s.use(&display{out: &specs, width: 12})
	say("a longer line")
	s.use(nil)
	say("after")
	if strings.Count(out.String(), "\n") != 2 || !strings.HasSuffix(out.String(), " after\n") || !strings.HasSuffix(specs.String(), "…\n") {
		t.Errorf("out %q, beside the specs %q", out.String(), specs.String())
	}
}
