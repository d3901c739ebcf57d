package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

func test(name string, start, seconds float64, state reports.State) reports.Spec {
	return reports.Spec{ID: "gatewayapi.http." + name, Row: "gatewayapi/http", Name: name, Start: start, Seconds: seconds, State: state}
}

func resultsOf(specs ...reports.Spec) *reports.Results {
	return &reports.Results{Run: reports.Run{ID: "r", Procs: 4}, Specs: specs}
}

func TestCompare(t *testing.T) {
	passed := reports.StatePassed
	other := reports.Spec{ID: "invariants.x", Row: "invariants", Start: 500, Seconds: 500, State: passed}
	notRun := test("C", 0, 0, reports.StateNotRun)
	lanes := resultsOf(test("A", 40, 10, passed), test("B", 41, 31, passed), other, notRun)
	serial := resultsOf(test("A", 100, 20, passed), test("B", 120, 60, reports.StateFailed), notRun)
	f, err := compare(time.Time{}, 2, 38.5, lanes, serial)
	if err != nil {
		t.Fatal(err)
	}
	if f.Lanes.Wall != 32 || f.Serial.Wall != 80 || math.Abs(f.Ratio-0.4) > 1e-9 || f.Lanes.Specs != 2 || f.Serial.Failed != 1 || f.Lanes.Failed != 0 {
		t.Errorf("figures %+v", f)
	}
	if f.Tests[0].ID != "gatewayapi.http.B" || f.Tests[0].Lanes != 31 || f.Tests[0].Serial != 60 {
		t.Errorf("the slowest test is not first: %+v", f.Tests)
	}
	if text := f.markdown(); !strings.Contains(text, "Ratio **0.40**: the target of 0.40 is reached. Provisioning of the new cluster took 38.5 s.") {
		t.Errorf("report:\n%s", text)
	}
	f.Ratio = 0.41
	if text := f.markdown(); !strings.Contains(text, "is missed") {
		t.Errorf("report:\n%s", text)
	}

	otherCell := resultsOf(serial.Specs...)
	otherCell.Cell.Kubernetes = "1.25.16"
	for name, c := range map[string]struct{ lanes, serial *reports.Results }{
		"nothing ran":            {resultsOf(), resultsOf()},
		"nothing of ours ran":    {resultsOf(other), resultsOf(other)},
		"more in lanes":          {lanes, resultsOf(test("A", 0, 1, passed))},
		"more in upstream's":     {resultsOf(test("A", 0, 1, passed)), serial},
		"no time":                {resultsOf(test("A", 0, 1, passed)), resultsOf(test("A", 0, 0, passed))},
		"two different clusters": {lanes, otherCell},
	} {
		if f, err := compare(time.Time{}, 2, 0, c.lanes, c.serial); problem.ExitCode(err) != problem.ExitEnvironment {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestProvisioned(t *testing.T) {
	log := "kind   14.4s ✓ Installing\n  14.7s the API server answers\n  37.3s the data plane's istiod is ready\n  31.0s beside it\nplane ready after 99.7s\n"
	if got := provisioned(log); got != 37.3 {
		t.Errorf("provisioned after %v", got)
	}
	if got := provisioned("nothing\n"); got != 0 {
		t.Errorf("an empty log gives %v", got)
	}
}

func TestBench(t *testing.T) {
	output := t.TempDir()
	var asked []runOptions
	fake := func(_ context.Context, _ io.Writer, o runOptions) (string, error) {
		asked = append(asked, o)
		dir := t.TempDir()
		seconds := 10.0
		if o.serial {
			seconds = 25
		}
		saveResults(t, dir, test("A", 1, seconds, reports.StateFailed))
		steps := "  33.0s the first spec may start\n"
		if o.reuse {
			steps = "   0.2s an earlier run's cluster is reused as it is\n"
		}
		put(t, filepath.Join(dir, provisioningLog), steps)
		return dir, problem.FailedSpecs("1 spec failed")
	}
	var out bytes.Buffer
	err := bench(t.Context(), &out, runOptions{procs: 4, cache: t.TempDir(), output: output}, fake)
	if problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Errorf("failed specs fail the bench: %v", err)
	}
	if len(asked) != 3 {
		t.Fatalf("%d runs", len(asked))
	}
	warmUp, lanes, serial := asked[0], asked[1], asked[2]
	if warmUp.reuse || !warmUp.keep || warmUp.focus != warmUpFocus {
		t.Errorf("the new cluster's run: %+v", warmUp)
	}
	if !lanes.reuse || !lanes.keep || lanes.serial || lanes.procs != 4 || lanes.focus != "" || lanes.labels != benchLabels {
		t.Errorf("the lanes' run: %+v", lanes)
	}
	if !serial.reuse || serial.keep || !serial.serial || serial.procs != 1 || serial.labels != benchLabels {
		t.Errorf("the serial run: %+v", serial)
	}
	written, _ := filepath.Glob(filepath.Join(output, "bench", "*.json"))
	if len(written) != 1 {
		t.Fatalf("wrote %v", written)
	}
	content, err := os.ReadFile(written[0])
	var f figures
	if err != nil || json.Unmarshal(content, &f) != nil || f.Ratio != 0.4 || f.Provisioning != 33 || f.Lanes.Failed != 1 {
		t.Errorf("wrote %s", content)
	}
	if !strings.Contains(out.String(), "Ratio **0.40**") {
		t.Errorf("said:\n%s", out.String())
	}

	asked = nil
	stopped := problem.Environment("interrupted", "", "", nil)
	err = bench(t.Context(), &out, runOptions{}, func(_ context.Context, _ io.Writer, o runOptions) (string, error) {
		asked = append(asked, o)
		return "", stopped
	})
	if !errors.Is(err, stopped) || len(asked) != 1 {
		t.Errorf("an interrupted run ends the bench: %v after %d runs", err, len(asked))
	}
	if _, err := measure(t.TempDir(), "", ""); problem.ExitCode(err) != problem.ExitEnvironment {
		t.Errorf("without a provisioning log: %v", err)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, provisioningLog), "  33.0s the first spec may start\n")
	if _, err := measure(dir, dir, dir); err == nil || !strings.HasPrefix(err.Error(), "the bench's cluster was not reused") {
		t.Errorf("with a new cluster for each run: %v", err)
	}
	put(t, filepath.Join(dir, provisioningLog), "")
	if _, err := measure(dir, dir, dir); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), kindconfig.ResultsFile) {
		t.Errorf("without results: %v", err)
	}
}
