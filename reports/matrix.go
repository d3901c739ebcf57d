package reports

import (
	"mesh-conformance/kindconfig"
)

// Matrix is what the cells of one subject found out, side by side: the content of matrix.json.
type Matrix struct {
	Schema int  `json:"schema"`
	Run    Run  `json:"run"`
	Cell   Cell `json:"subject"`
	// Subject is the build under test, as the first cell with results has it; nil where none has recorded it.
	Subject *kindconfig.Subject `json:"build,omitempty"`
	// Installation is what the cells have in common; nil where none has recorded it.
	Installation *Installation `json:"installation,omitempty"`
	// Images are those that every cell with results had; the others are beside the cells.
	Images []Image `json:"images"`
	// Cells are in the order of their Kubernetes versions, those without results included.
	Cells []MatrixCell `json:"cells"`
	Rows  []MatrixRow  `json:"rows"`
	Specs []MatrixSpec `json:"specs"`
	// Problems are faults that no cell sees alone, one line each. Any of them fails the matrix.
	Problems []string `json:"problems,omitempty"`
	// Notes are worth a look and no fault.
	Notes []string `json:"notes,omitempty"`
}

// CellState is how a whole cell came out.
type CellState string

// The states of cells. Only CellPassed is a pass.
const (
	CellPassed CellState = "passed"
	CellFailed CellState = "failed"
	// CellUndecided is a cell in which no spec failed and some are undecided.
	CellUndecided CellState = "undecided"
	// CellAborted is a cell that has no verdict: it could not be built or provisioned, or was interrupted.
	CellAborted CellState = "aborted"
	// CellNotRun is a cell that belongs to the matrix and never began.
	CellNotRun CellState = "not-run"
	// CellLeftOut is a pinned version that the matrix was not asked for.
	CellLeftOut CellState = "left-out"
)

// cellStates lists them in the order of the reports' sentences.
var cellStates = []CellState{CellFailed, CellUndecided, CellAborted, CellNotRun, CellPassed, CellLeftOut}

// MatrixCell is one column of a matrix.
type MatrixCell struct {
	// Minor names the column, for example 1.28; Kubernetes is the version that ran, as far as it is known.
	Minor      string    `json:"minor"`
	Kubernetes string    `json:"kubernetes"`
	State      CellState `json:"state"`
	// Why says what failed a cell, or why it has no verdict.
	Why string `json:"why,omitempty"`
	// Directory holds the cell's reports, below that of the matrix; empty where there are none.
	Directory string  `json:"directory,omitempty"`
	Run       string  `json:"run,omitempty"`
	Seconds   float64 `json:"seconds"`
	Totals    Totals  `json:"totals"`
	// Problems are those of the cell's run.
	Problems []string `json:"problems,omitempty"`
	// Images are the cell's own: its node and its Kubernetes.
	Images []Image `json:"images,omitempty"`
}

// HasResults says whether the cell's column means anything.
func (c MatrixCell) HasResults() bool {
	return c.State == CellPassed || c.State == CellFailed || c.State == CellUndecided
}

// MatrixRow is a promise of the release on every version.
type MatrixRow struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Differs says that a spec of the row came out differently on versions that have results.
	Differs bool `json:"differs"`
	// Cells are in the order of the matrix's.
	Cells []RowOutcome `json:"cells"`
}

// RowOutcome is a row in one cell.
type RowOutcome struct {
	State  State  `json:"state"`
	Totals Totals `json:"totals"`
}

// MatrixSpec is one spec on every version.
type MatrixSpec struct {
	ID   string `json:"id"`
	Row  string `json:"row"`
	Name string `json:"name"`
	// Differs says that it came out differently on versions that have results and where it is neither exempt nor
	// undecided.
	Differs bool `json:"differs"`
	// Cells are in the order of the matrix's.
	Cells []SpecOutcome `json:"cells"`
}

// SpecOutcome is a spec in one cell.
type SpecOutcome struct {
	State   State   `json:"state"`
	Seconds float64 `json:"seconds"`
	// Message is the first line of why it did not pass, or how it was repaired.
	Message string `json:"message,omitempty"`
	Link    string `json:"link,omitempty"`
	// List is the vendor's own list that the message is from; empty for the lists of the suite.
	List string `json:"list,omitempty"`
	// Repaired says how a spec that passed was repaired.
	Repaired Repair `json:"repaired,omitempty"`
}
