package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// mergeOptions are the flags of `qualify merge`.
type mergeOptions struct {
	kubernetes    []string
	into          string
	cache, output string
}

func mergeCommand() *cobra.Command {
	var o mergeOptions
	cmd := &cobra.Command{
		Use:   "merge DIR...",
		Short: "Merge results of cells that ran elsewhere, for example in CI jobs, into one matrix",
		Long: "Merge results of cells that ran elsewhere, for example in CI jobs, into one matrix.\n\n" +
			"Each DIR is a run's folder, or its id: it holds results.json, or environment.txt and job.json of a run without a\n" +
			"verdict. A matrix' folder stands for those of its cells. Results, reports and diagnostics are copied, so that the\n" +
			"matrix can be moved. Versions that no DIR has results of are not run, and fail the matrix, unless --kubernetes\n" +
			"names the others alone. Exit codes are those of qualify matrix.",
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, dirs []string) error { return merge(cmd.OutOrStdout(), o, dirs) },
	}
	addVersionsFlag(cmd, &o.kubernetes, "expect")
	cmd.Flags().StringVar(&o.into, "into", "", "folder of the matrix (default: a new one where runs write to)")
	addPlaceFlags(cmd, &o.cache, &o.output)
	return cmd
}

// source is a cell's folder before it is merged.
type source struct {
	dir     string
	outcome reports.Outcome
}

func merge(out io.Writer, o mergeOptions, dirs []string) error {
	versions, err := kindconfig.Load()
	if err != nil {
		return err
	}
	expected, err := chosen(versions, o.kubernetes)
	if err != nil {
		return err
	}
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	sources, err := readSources(at.output, dirs)
	if err != nil {
		return err
	}
	outcomes := make([]reports.Outcome, len(sources))
	for i := range sources {
		outcomes[i] = sources[i].outcome
	}
	outcomes = without(outcomes, versions, expected, "no folder has results of it")
	merged := time.Now().UTC().Truncate(time.Second)
	record := span(outcomes)
	record.ID, record.Command = merged.Format("20060102-150405"), "qualify "+strings.Join(os.Args[1:], " ")
	if record.Started.IsZero() {
		record.Started = merged
	}
	// What does not fit together is refused before anything is written.
	if _, err := reports.Merge(record, outcomes); err != nil {
		return err
	}
	into := filepath.Join(at.output, record.ID)
	if o.into != "" {
		if into, err = filepath.Abs(o.into); err != nil {
			return err
		}
	}
	if err := writable(into, "--into"); err != nil {
		return err
	}
	for i, from := range sources {
		if err := adopt(from, filepath.Join(into, outcomes[i].Directory)); err != nil {
			return err
		}
	}
	if o.into == "" {
		if err := pointLatest(at.output, record.ID); err != nil {
			return err
		}
	}
	return renderMatrix(out, into, record, outcomes, false)
}

// readSources reads the cells of the named folders.
func readSources(output string, dirs []string) ([]source, error) {
	var sources []source
	for _, named := range dirs {
		dir, err := cellFolder(output, named)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(dir, reports.FileMatrix)); err == nil {
			m, err := reports.LoadMatrix(filepath.Join(dir, reports.FileMatrix))
			if err != nil {
				return nil, err
			}
			for _, cell := range m.Cells {
				switch {
				case cell.Directory != "":
					if sources, err = readSource(sources, filepath.Join(dir, cell.Directory)); err != nil {
						return nil, err
					}
				case cell.State == reports.CellAborted:
					sources = append(sources, source{outcome: reports.Outcome{Name: dir, Kubernetes: cell.Kubernetes, State: cell.State, Why: cell.Why}})
				}
			}
			continue
		}
		if sources, err = readSource(sources, dir); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// readSource adds the cell of one folder.
func readSource(sources []source, dir string) ([]source, error) {
	o, err := outcomeIn(dir, dir)
	if err != nil {
		return nil, err
	}
	version := o.Kubernetes
	if o.Results != nil {
		version = o.Results.Cell.Kubernetes
	}
	o.Directory = kindconfig.Minor(version)
	if o.Directory == "." || !filepath.IsLocal(o.Directory) || strings.ContainsRune(o.Directory, filepath.Separator) {
		return nil, problem.Usage(fmt.Sprintf("the cell's Kubernetes version is %q", version), dir, "name the folder of a run of the suite")
	}
	return append(sources, source{dir, o}), nil
}

// cellFolder finds a folder by its path or, below the output folder, the run's id.
func cellFolder(output, named string) (string, error) {
	dir := named
	if info, err := os.Stat(named); err != nil || !info.IsDir() {
		if dir, err = runFolder(output, named); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// span is from the first start to the last end of the cells.
func span(outcomes []reports.Outcome) reports.Run {
	var run reports.Run
	var end time.Time
	for _, o := range outcomes {
		if o.Results == nil {
			continue
		}
		r := o.Results.Run
		if run.Started.IsZero() || r.Started.Before(run.Started) {
			run.Started = r.Started
		}
		if ended := r.Started.Add(time.Duration(r.Seconds * float64(time.Second))); ended.After(end) {
			end = ended
		}
	}
	if !run.Started.IsZero() {
		run.Seconds = end.Sub(run.Started).Round(time.Second).Seconds()
	}
	return run
}

// adopted are the files of a run that a matrix keeps beside what it renders itself: patterns of their names. The logs say
// why a cell has no verdict.
var adopted = []string{kindconfig.EnvironmentFile, kindconfig.JobFile, kindconfig.DiagnosticsDir, suiteLog, "provisioning*.log"}

// adopt copies a cell into the matrix' folder, in the place of what an earlier merge put there, and
// renders its reports.
func adopt(from source, to string) error {
	if from.dir == "" {
		return nil
	}
	var err error
	if here, linkErr := filepath.EvalSymlinks(to); linkErr != nil || here != from.dir {
		if err = makeRoom(to); err != nil {
			return err
		}
		err = os.MkdirAll(to, 0o755)
		entries, readErr := os.ReadDir(from.dir)
		err = errors.Join(err, readErr)
		for _, entry := range entries {
			if err == nil && slices.ContainsFunc(adopted, func(pattern string) bool {
				matches, _ := filepath.Match(pattern, entry.Name())
				return matches
			}) {
				err = copyAny(filepath.Join(from.dir, entry.Name()), filepath.Join(to, entry.Name()))
			}
		}
	}
	if err == nil && from.outcome.Results != nil {
		err = reports.Render(to, from.outcome.Results)
	}
	if err != nil {
		return problem.Environment("cannot copy a cell into the matrix", to, "see that there is space", err)
	}
	return nil
}

// makeRoom removes a cell that an earlier merge left, and nothing else.
func makeRoom(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return nil
	}
	if _, err := outcomeIn(dir, dir); err != nil {
		return problem.Usage("a folder is in the way", dir, "name another one by --into")
	}
	if err := os.RemoveAll(dir); err != nil {
		return problem.Environment("cannot replace an earlier merge", dir, "", err)
	}
	return nil
}

// copyAny copies a file or a folder, if there is one.
func copyAny(from, to string) error {
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}
