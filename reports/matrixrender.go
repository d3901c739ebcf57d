package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// The files of a matrix.
const (
	FileMatrix         = "matrix.json"
	fileMatrixMarkdown = "matrix.md"
	fileMatrixHTML     = "matrix.html"
)

// Render writes every report of the matrix into dir.
func (m *Matrix) Render(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the reports: %w", err)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", FileMatrix, err)
	}
	page, err := m.HTML()
	if err != nil {
		return err
	}
	return errors.Join(
		write(filepath.Join(dir, FileMatrix), append(data, '\n')),
		write(filepath.Join(dir, fileMatrixMarkdown), m.Markdown()),
		write(filepath.Join(dir, fileMatrixHTML), page),
	)
}

// LoadMatrix reads a matrix.json. What follows from the cells' results is there for other programs;
// whoever renders the matrix again merges the cells again.
func LoadMatrix(path string) (*Matrix, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem.Usage("there is no matrix", path, "name the folder of a matrix")
	case err != nil:
		return nil, problem.Environment("cannot read the matrix", path, "", err)
	}
	m := &Matrix{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(m)
	if err == nil {
		if err := checkSchema("the matrix has", &m.Schema, path); err != nil {
			return nil, err
		}
	}
	for _, cell := range m.Cells {
		if err == nil && !slices.Contains(cellStates, cell.State) {
			err = fmt.Errorf("cell %q has the unknown state %q", cell.Minor, cell.State)
		}
		if err == nil && cell.Directory != "" && !filepath.IsLocal(cell.Directory) {
			err = fmt.Errorf("cell %q lies outside, in %q", cell.Minor, cell.Directory)
		}
	}
	if err != nil {
		return nil, problem.Usage("the matrix does not fit the schema: "+err.Error(), path, "use the program that wrote it")
	}
	return m, nil
}

// Summary writes what the driver says at the end of a matrix, on one screen.
func (m *Matrix) Summary(w io.Writer, dir string, width int) error {
	if width < 40 {
		width = summaryWidth
	}
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, fit(strings.TrimRight(fmt.Sprintf(format, args...), " "), width))
	}
	end := m.conclude()
	if m.Cell.Istio != "" {
		add("%s on Kubernetes %s, %s, %s", m.Cell.subject(), enumerate(m.minors()), m.Cell.proxy(), duration(m.Run.Seconds))
	}
	// The one thing that is never cut.
	lines = append(lines, wrap(strings.ToUpper(end.Word)+": "+end.Sentence, width)...)
	add("")
	for _, cell := range m.Cells {
		said := cell.Why
		if cell.HasResults() {
			var counts []string
			for _, tally := range tallies(cell.Totals) {
				if tally.Count > 0 {
					counts = append(counts, tally.State.count(tally.Count))
				}
			}
			said = strings.Join(append(counts, duration(cell.Seconds)), " · ")
		}
		add("  %s %-8s %-9s %s", cell.State.glyph(), cell.Kubernetes, cell.State.words(), said)
	}
	for i, spec := range m.repaired() {
		if i == 0 {
			add("")
			add("Repaired")
		}
		if i == summaryFailures {
			add("  … and %d more in %s", len(m.repaired())-i, fileMatrixMarkdown)
			break
		}
		add("  %s", spec.ID)
		for _, found := range spec.Findings {
			add("    %s on %s  %s", found.State.glyph(), enumerate(minorsOf(found.Cells)), found.Message)
		}
	}
	for i, line := range m.Problems {
		if i == 0 && len(m.repaired()) > 0 {
			add("")
		}
		add("  %s", oneLine(line, 0))
	}
	if specs := m.differences(); len(specs) > 0 {
		add("")
		add("Differences between versions")
		for i, spec := range specs {
			if i == summaryFailures {
				add("  … and %d more in %s", len(specs)-i, fileMatrixMarkdown)
				break
			}
			add("  %s", spec.ID)
			for _, found := range m.findings(spec) {
				add("    %s %s on %s  %s", found.State.glyph(), found.State.words(), enumerate(minorsOf(found.Cells)),
					found.Message)
			}
		}
	}
	if specs := m.common(StateFailed, StateFlaky); len(specs) > 0 {
		add("")
		add("Failed on every version that %s", m.having("decided the spec"))
		for i, spec := range specs {
			if i == summaryFailures {
				add("  … and %d more in %s", len(specs)-i, fileMatrixMarkdown)
				break
			}
			add("  %s %s", spec.State.glyph(), spec.ID)
			add("    %s", spec.Message)
		}
	}
	for i, spec := range m.undecided() {
		if i == 0 {
			add("")
			add("Undecided")
		}
		if i == summaryFailures {
			add("  … and %d more in %s", len(m.undecided())-i, fileMatrixMarkdown)
			break
		}
		add("  %s", spec.ID)
		for _, found := range spec.Findings {
			add("    %s on %s  %s", found.State.glyph(), enumerate(minorsOf(found.Cells)), found.Message)
		}
	}
	add("")
	add("Reports")
	lines = append(lines, "  "+filepath.Join(dir, fileMatrixHTML), "  "+filepath.Join(dir, fileMatrixMarkdown))
	add("  beside them: %s, and a folder for each version", FileMatrix)
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}
