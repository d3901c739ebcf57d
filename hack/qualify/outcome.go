package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// outcomeIn reads what became of a cell from its folder. A run that has no verdict is a cell without
// results, whatever it may have left as such.
func outcomeIn(name, dir string) (reports.Outcome, error) {
	o := reports.Outcome{Name: name}
	why, err := os.ReadFile(filepath.Join(dir, kindconfig.EnvironmentFile))
	if errors.Is(err, fs.ErrNotExist) {
		o.Results, err = reports.Load(filepath.Join(dir, kindconfig.ResultsFile))
		return o, err
	}
	if err != nil {
		return o, problem.Environment("cannot read why a run has no verdict", dir, "", err)
	}
	o.State, o.Why = reports.CellAborted, cmp.Or(strings.TrimSpace(string(why)), "no reason was recorded")
	if job, err := kindconfig.LoadJob(filepath.Join(dir, kindconfig.JobFile)); err == nil {
		o.Kubernetes = job.Cell.Kubernetes
	} else if results, err := reports.Load(filepath.Join(dir, kindconfig.ResultsFile)); err == nil {
		o.Kubernetes = results.Cell.Kubernetes
	}
	if o.Kubernetes == "" {
		return o, problem.Usage("a run without a verdict does not say of which Kubernetes version", dir,
			"keep its "+kindconfig.JobFile+" beside "+kindconfig.EnvironmentFile)
	}
	return o, nil
}

// renderMatrix puts the outcomes side by side in a folder, shows the summary and gives the verdict.
func renderMatrix(out io.Writer, dir string, run reports.Run, outcomes []reports.Outcome, allowUndecided bool) error {
	m, err := reports.Merge(run, outcomes)
	if err != nil {
		return err
	}
	if err := m.Render(dir); err != nil {
		return problem.Environment("cannot write the matrix", dir, "", err)
	}
	if err := m.Summary(out, dir, columnsOf(out)); err != nil {
		return problem.Environment("cannot show the summary", "", "the reports are in "+dir, err)
	}
	return m.VerdictAllowing(allowUndecided)
}

// concludeMatrix renders a matrix and the reports of its cells again.
func concludeMatrix(out io.Writer, dir string, allowUndecided bool) error {
	m, err := reports.LoadMatrix(filepath.Join(dir, reports.FileMatrix))
	if err != nil {
		return err
	}
	var outcomes []reports.Outcome
	for _, cell := range m.Cells {
		o := reports.Outcome{Name: cell.Minor, Kubernetes: cell.Kubernetes, State: cell.State, Why: cell.Why}
		if cell.Directory != "" {
			folder := filepath.Join(dir, cell.Directory)
			if o, err = outcomeIn(cell.Minor, folder); err != nil {
				return err
			}
			o.Directory = cell.Directory
			if o.Results != nil {
				if err := reports.Render(folder, o.Results); err != nil {
					return problem.Environment("cannot write the reports", folder, "", err)
				}
			}
		}
		outcomes = append(outcomes, o)
	}
	return renderMatrix(out, dir, m.Run, outcomes, allowUndecided)
}

// without are the pinned versions that no outcome is of: not run where they were asked for, and left out
// otherwise.
func without(outcomes []reports.Outcome, versions *kindconfig.Versions, asked []kindconfig.Kubernetes, why string) []reports.Outcome {
	there := map[string]bool{}
	for _, o := range outcomes {
		version := o.Kubernetes
		if o.Results != nil {
			version = o.Results.Cell.Kubernetes
		}
		there[kindconfig.Minor(version)] = true
	}
	wanted := map[string]bool{}
	for _, k := range asked {
		wanted[k.Minor] = true
	}
	for _, minor := range versions.KubernetesMinors() {
		if there[minor] {
			continue
		}
		missing := reports.Outcome{Name: minor, Kubernetes: versions.Kubernetes[minor].Version, State: reports.CellLeftOut}
		if wanted[minor] {
			missing.State, missing.Why = reports.CellNotRun, why
		}
		outcomes = append(outcomes, missing)
	}
	return outcomes
}

// chosen finds the pins of the versions that were asked for, each once; of all where none is named,
// newest first: that one is most likely built.
func chosen(versions *kindconfig.Versions, asked []string) ([]kindconfig.Kubernetes, error) {
	if len(asked) == 0 {
		minors := versions.KubernetesMinors()
		for i := range minors {
			asked = append(asked, minors[len(minors)-1-i])
		}
	}
	var cells []kindconfig.Kubernetes
	seen := map[string]bool{}
	for _, version := range asked {
		if strings.TrimSpace(version) == "" {
			return nil, problem.Usage("an empty version", "--kubernetes", "give for example 1.25,1.28")
		}
		k, err := versions.ForKubernetes(strings.TrimSpace(version))
		if err != nil {
			return nil, err
		}
		if seen[k.Minor] {
			return nil, problem.Usage("Kubernetes "+k.Minor+" is asked for twice", "--kubernetes", "name it once")
		}
		seen[k.Minor] = true
		cells = append(cells, k)
	}
	return cells, nil
}
