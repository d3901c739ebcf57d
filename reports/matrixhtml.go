package reports

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
)

// matrixPage is what the template of matrix.html sees.
type matrixPage struct {
	*Matrix
	Conclusion conclusion
	// Class colours the page: good, bad, open for a matrix that nothing failed and something is undecided in, or
	// partial for a pass that is less than the release's.
	Class    string
	Subject  string
	Versions string
	Started  string
	Iso      string
	Policy   string
	Style    template.CSS
	Columns  []matrixColumn
	Changes  []matrixChange
	Failures []commonSpec
	// Undecided has of each spec the versions that did not decide it alone.
	Undecided []partSpec
	// Repaired has of each spec the versions on which the build repairs it.
	Repaired []partSpec
	Listed   []listPart
	// Since are known defects that a release before this build repaired.
	Since    []commonSpec
	Promises []matrixPromise
}

// matrixColumn is a cell with the shares of its strip.
type matrixColumn struct {
	MatrixCell
	Link    string
	Tallies []tally
}

// matrixChange is a spec that differs between versions.
type matrixChange struct {
	MatrixSpec
	Findings []finding
}

// matrixPromise is a row of the table.
type matrixPromise struct {
	MatrixRow
	Fields []matrixField
}

// matrixField is one row in one cell.
type matrixField struct {
	RowOutcome
	Cell  MatrixCell
	Link  string
	Share string
	// Odd marks what came out otherwise than most versions did.
	Odd bool
}

// HTML renders one self-contained page without any script; its links lead to the cells' own pages.
func (m *Matrix) HTML() ([]byte, error) {
	style := ""
	for _, name := range []string{"report.css", "matrix.css"} {
		content, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return nil, fmt.Errorf("read the page's style: %w", err)
		}
		style += string(content)
	}
	content := matrixPage{
		Matrix: m, Conclusion: m.conclude(), Class: "good",
		Subject: "Istio " + m.Cell.Istio, Versions: enumerate(m.minors()),
		Started: m.Run.Started.UTC().Format("2 January 2006, 15:04 UTC"), Iso: m.Run.Started.UTC().Format("2006-01-02T15:04:05Z"),
		Policy:   "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
		Style:    template.CSS(style),
		Failures: m.common(StateFailed, StateFlaky),
		Listed:   m.listedParts(),
		Repaired: m.repaired(),
		Since:    m.since(),
	}
	content.Undecided = m.undecided()
	switch {
	case content.Conclusion.Open:
		content.Class = "open"
	case !content.Conclusion.Signable:
		content.Class = "bad"
	case content.Conclusion.Word != "Passed":
		content.Class = "partial"
	}
	for _, cell := range m.Cells {
		content.Columns = append(content.Columns, matrixColumn{cell, cell.link(""), tallies(cell.Totals)})
	}
	for _, spec := range m.differences() {
		content.Changes = append(content.Changes, matrixChange{spec, m.findings(spec)})
	}
	for _, row := range m.Rows {
		content.Promises = append(content.Promises, m.promise(row))
	}
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, "matrix.tmpl", content); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return b.Bytes(), nil
}

func (m *Matrix) minors() []string { return minorsOf(m.Cells) }

// promise prepares a row of the table.
func (m *Matrix) promise(row MatrixRow) matrixPromise {
	view, usual := matrixPromise{MatrixRow: row}, m.usual(row)
	for column, cell := range m.Cells {
		field := matrixField{RowOutcome: row.Cells[column], Cell: cell, Share: row.Cells[column].share()}
		if field.Totals.Total > 0 {
			field.Link = cell.link("row-" + row.ID)
		}
		field.Odd = row.Differs && cell.HasResults() && (usual == "" || signature(field.RowOutcome) != usual)
		view.Fields = append(view.Fields, field)
	}
	return view
}

// usual is how a row came out on most versions; empty where no way is that of most.
func (m *Matrix) usual(row MatrixRow) string {
	count, ran := map[string]int{}, 0
	for column, cell := range m.Cells {
		if cell.HasResults() {
			ran++
			count[signature(row.Cells[column])]++
		}
	}
	for outcome, n := range count {
		if 2*n > ran {
			return outcome
		}
	}
	return ""
}

func signature(o RowOutcome) string { return fmt.Sprint(o.State, o.Totals) }

// HasCellProblems says whether any cell's run had a fault of its own.
func (m *Matrix) HasCellProblems() bool {
	return slices.ContainsFunc(m.Cells, func(c MatrixCell) bool { return len(c.Problems) > 0 })
}

// Comparable says whether there are two versions that a spec could differ between.
func (m *Matrix) Comparable() bool { return len(m.withResults()) > 1 }
