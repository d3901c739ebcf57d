package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// The filters of the bench's runs.
const (
	benchLabels = `/^gatewayapi\./`
	// warmUpFocus is upstream's shortest test; the run that has it alone waits for the base resources,
	// so that neither side does.
	warmUpFocus = "GatewayClassObservedGenerationBump"
)

func benchCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the Gateway API tests in lanes against upstream's serial run, on one cluster",
		Long: "Measure the Gateway API tests in lanes against upstream's serial run, on one cluster.\n\n" +
			"Three runs: one test on a new cluster, which provisions it and waits for upstream's base resources; all tests in\n" +
			"lanes; all tests one after the other in upstream's order. Options and timeouts are the same on both sides.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// run checks for itself, but only after the bench has announced it.
			checked := o
			if _, _, _, err := checked.cell(cmd.Context()); err != nil {
				return err
			}
			return bench(cmd.Context(), cmd.OutOrStdout(), o, run)
		},
	}
	addCellFlags(cmd, &o)
	cmd.Flags().BoolVar(&o.keep, "keep", false, "leave the cluster running at the end; qualify down removes it")
	return cmd
}

// runner does one run and gives its folder.
type runner func(ctx context.Context, out io.Writer, o runOptions) (dir string, err error)

// bench runs the three runs and writes what they took. A failed spec does not stop it, since both sides
// are wanted, but fails it: a test that runs into its timeout measures the timeout.
func bench(ctx context.Context, out io.Writer, o runOptions, do runner) error {
	say := sayTo(out)
	warmUp, lanes, serial := o, o, o
	warmUp.labels, warmUp.focus, warmUp.keep = benchLabels, warmUpFocus, true
	lanes.labels, lanes.keep, lanes.reuse = benchLabels, true, true
	serial.labels, serial.reuse, serial.serial, serial.procs = benchLabels, true, true, 1

	var verdicts []error
	var dirs []string
	for _, part := range []struct {
		title   string
		options runOptions
	}{{"a new cluster", warmUp}, {"the tests in lanes", lanes}, {"the tests in upstream's order", serial}} {
		say("bench: %s", part.title)
		dir, err := do(ctx, out, part.options)
		if err != nil && problem.ExitCode(err) != problem.ExitFailedSpecs {
			return err
		}
		verdicts, dirs = append(verdicts, err), append(dirs, dir)
	}
	taken, err := measure(dirs[0], dirs[1], dirs[2])
	if err != nil {
		return err
	}
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	path, err := taken.save(filepath.Join(at.output, "bench"))
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "\n%s\n%s\n", taken.markdown(), path)
	return errors.Join(verdicts...)
}

// measure reads what the three runs left.
func measure(warmUp, lanes, serial string) (*figures, error) {
	provisioning, err := provisioningTime(warmUp)
	if err != nil {
		return nil, err
	}
	var results [2]*reports.Results
	for i, dir := range []string{lanes, serial} {
		// A cluster made anew would have its first tests wait for the base resources.
		reused, err := provisioningTime(dir)
		if err != nil {
			return nil, err
		}
		if reused > provisioning/2 {
			return nil, problem.Environment("the bench's cluster was not reused", filepath.Join(dir, provisioningLog), "", nil)
		}
		if results[i], err = reports.Load(filepath.Join(dir, kindconfig.ResultsFile)); err != nil {
			return nil, err
		}
	}
	return compare(time.Now().UTC().Truncate(time.Second), runtime.NumCPU(), provisioning, results[0], results[1])
}

// provisioningTime is what a run took until its first spec could start.
func provisioningTime(dir string) (float64, error) {
	log, err := os.ReadFile(filepath.Join(dir, provisioningLog))
	if err != nil {
		return 0, problem.Environment("a run of the bench left no provisioning log", dir, "", err)
	}
	return provisioned(string(log)), nil
}

// save writes the figures as JSON and Markdown and gives the path of the latter.
func (f *figures) save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", problem.Environment("cannot write", dir, "make it writable or set --output", err)
	}
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, f.Date.Format("20060102-150405"))
	for name, content := range map[string][]byte{path + ".json": append(content, '\n'), path + ".md": []byte(f.markdown())} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return "", problem.Environment("cannot write", name, "make it writable or set --output", err)
		}
	}
	return path + ".md", nil
}
