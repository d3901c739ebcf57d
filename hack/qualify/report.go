package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// latestLink names the newest run's folder.
const latestLink = "latest"

func reportCommand() *cobra.Command {
	var cache, output string
	cmd := &cobra.Command{
		Use:   "report [RUN...]",
		Short: "Render the reports of runs again and give their verdict; the newest run where none is named",
		Long: "Render the reports of runs again from their results.json and give the same verdict and exit code as the run.\n" +
			"A run, or a matrix, is named by its id or its folder; the newest one where none is named.",
		Args: usageArgs(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, runs []string) error {
			at, err := findPlaces(cache, output)
			if err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), at.output, runs)
		},
	}
	addPlaceFlags(cmd, &cache, &output)
	return cmd
}

// report renders runs one after the other. Of several verdicts the gravest gives the exit code.
func report(out io.Writer, output string, runs []string) error {
	if len(runs) == 0 {
		runs = []string{latestLink}
	}
	var verdicts []error
	for _, run := range runs {
		dir, err := runFolder(output, run)
		if err == nil {
			err = conclude(out, dir, false)
		}
		if err != nil && len(runs) > 1 {
			err = fmt.Errorf("%s: %w", run, err)
		}
		verdicts = append(verdicts, err)
	}
	return gravest(verdicts)
}

// gravest joins errors, with the one of the highest exit code first. An undecided run comes after a failed one.
func gravest(verdicts []error) error {
	verdicts = slices.Clone(verdicts)
	slices.SortStableFunc(verdicts, func(a, b error) int { return gravity(b) - gravity(a) })
	return errors.Join(verdicts...)
}

func gravity(err error) int {
	if problem.IsUndecided(err) {
		return 1
	}
	return 2 * problem.ExitCode(err)
}

// runFolder finds a run by its folder or, below the output folder, its id.
func runFolder(output, run string) (string, error) {
	dir := filepath.Join(output, run)
	if strings.ContainsRune(run, filepath.Separator) || run == "." {
		dir = filepath.Clean(run)
	}
	// The link is followed, so that the reports name the run itself.
	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(resolved); err == nil && !info.IsDir() {
			return "", problem.Usage("not a run's folder", dir, "name the folder of a finished run")
		}
	}
	switch {
	case err == nil:
		return resolved, nil
	case run == latestLink:
		return "", problem.Usage("there is no run yet", output, "start one with qualify run")
	default:
		return "", problem.Usage("there is no run "+run, dir, "name the folder of a finished run")
	}
}

// conclude renders the reports of a run's folder and gives the verdict. A run that was not
// provisioned, or was interrupted, has none, whatever results it may have left.
func conclude(out io.Writer, dir string, allowUndecided bool) error {
	if line, err := os.ReadFile(filepath.Join(dir, kindconfig.EnvironmentFile)); err == nil {
		return problem.Environment(strings.TrimSpace(string(line)), dir, "", nil)
	}
	if _, err := os.Stat(filepath.Join(dir, reports.FileMatrix)); err == nil {
		return concludeMatrix(out, dir, allowUndecided)
	}
	results, err := reports.Load(filepath.Join(dir, kindconfig.ResultsFile))
	if err != nil {
		return err
	}
	if err := reports.Render(dir, results); err != nil {
		return problem.Environment("cannot write the reports", dir, "", err)
	}
	if err := reports.Summary(out, results, dir, columnsOf(out)); err != nil {
		return problem.Environment("cannot show the summary", "", "the reports are in "+dir, err)
	}
	return reports.VerdictAllowing(results, allowUndecided)
}

// columnsOf is how wide a summary may be.
func columnsOf(out io.Writer) int {
	if columns := terminalColumns(out); columns > 0 {
		return columns
	}
	return plainWidth
}
