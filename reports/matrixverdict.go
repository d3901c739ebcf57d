package reports

import (
	"fmt"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// Verdict is nil where every cell that was asked for may be signed. A cell without a verdict is a fault of the
// environment, a failed one is the subject's. Where none of both is there and a cell is undecided, it is
// problem.Undecided.
func (m *Matrix) Verdict() error { return m.VerdictAllowing(false) }

// VerdictAllowing is Verdict; with allowUndecided, an undecided cell is no reason against the matrix as long as it
// decided some spec.
func (m *Matrix) VerdictAllowing(allowUndecided bool) error {
	var missing, failed, undecided []string
	for _, cell := range m.Cells {
		said := "Kubernetes " + cell.Kubernetes + ": "
		switch cell.State {
		case CellFailed:
			failed = append(failed, said+cell.Why)
		case CellUndecided:
			if !allowUndecided || cell.Totals.Decided() == 0 {
				undecided = append(undecided, said+cell.Why)
			}
		case CellAborted:
			missing = append(missing, said+"no verdict: "+cell.Why)
		case CellNotRun:
			missing = append(missing, strings.TrimSuffix(said+"not run: "+cell.Why, ": "))
		}
	}
	failed = append(failed, m.Problems...)
	switch {
	case len(missing) > 0:
		return problem.Environment(strings.Join(slices.Concat(missing, failed, undecided), "; "), "", "", nil)
	case len(failed) > 0:
		return problem.FailedSpecs(strings.Join(append(failed, undecided...), "; "))
	case len(undecided) > 0:
		return problem.Undecided(strings.Join(undecided, "; "),
			"run these versions again on a less busy machine")
	}
	return nil
}

// in are the versions of the cells in a state.
func (m *Matrix) in(state CellState) []string {
	var versions []string
	for _, cell := range m.Cells {
		if cell.State == state {
			versions = append(versions, cell.Kubernetes)
		}
	}
	return versions
}

// words names a cell's state for a reader.
func (s CellState) words() string {
	switch s {
	case CellNotRun:
		return "not run"
	case CellLeftOut:
		return "left out"
	}
	return string(s)
}

// conclude is the matrix' verdict in words, the same in every report.
func (m *Matrix) conclude() conclusion {
	said := repairsOf(Totals{Repaired: len(m.repaired())})
	for _, state := range cellStates {
		if versions := m.in(state); len(versions) > 0 {
			said = append(said, state.words()+" on "+enumerate(versions))
		}
	}
	if differing := len(m.differences()); differing > 0 {
		said = append(said, plural(differing, "spec")+" "+map[bool]string{true: "differs", false: "differ"}[differing == 1]+" between versions")
	}
	if n := len(m.Problems); n > 0 {
		said = append(said, plural(n, "problem")+" of the merge")
	}
	if untried := m.untried(); untried > 0 && m.Run.Filter == "" {
		said = append(said, fmt.Sprintf("%d of %s not tried", untried, plural(len(m.Rows), "promise")))
	}
	end := conclusion{Word: "Passed", Signable: m.Verdict() == nil}
	end.Open = problem.IsUndecided(m.Verdict())
	switch {
	case len(m.in(CellFailed)) > 0 || len(m.Problems) > 0:
		end.Word = "Failed"
	case end.Open:
		end.Word = "Undecided"
	case !end.Signable:
		end.Word = "Incomplete"
	case m.Run.Filter != "":
		end.Word = "Passed, filtered"
		said = append(said, "a filtered run makes no claim about the release")
	case len(m.in(CellLeftOut)) > 0:
		end.Word = "Passed, in part"
	}
	end.Sentence = sentence(said)
	return end
}

// untried counts the promises that a version with results leaves open.
func (m *Matrix) untried() int {
	count := 0
	for _, row := range m.Rows {
		for column, cell := range m.Cells {
			if cell.HasResults() && row.Cells[column].State == StateNotRun {
				count++
				break
			}
		}
	}
	return count
}

// enumerate joins as a sentence does: a, b and c.
func enumerate(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

// differences are the specs whose state depends on the version.
func (m *Matrix) differences() []MatrixSpec {
	var specs []MatrixSpec
	for _, spec := range m.Specs {
		if spec.Differs {
			specs = append(specs, spec)
		}
	}
	return specs
}

// commonSpec is a spec that came out alike on every version that has results.
type commonSpec struct {
	MatrixSpec
	SpecOutcome
}

// common are the specs that are in one of the wanted states on every version with results, the undecided ones left
// aside. Where their messages differ, the first one stands for them; the cells' reports have all.
func (m *Matrix) common(wanted ...State) []commonSpec {
	var specs []commonSpec
	for _, state := range wanted {
		for _, spec := range m.Specs {
			in := m.cellsIn(spec, state)
			open := m.cellsIn(spec, StateUndecided)
			if len(in) == 0 || len(in)+len(open) != len(m.withResults()) {
				continue
			}
			outcome := spec.Cells[in[0]]
			if len(open) > 0 {
				outcome.Message = "Undecided on " + enumerate(minorsOf(m.at(open))) + ", elsewhere: " + outcome.Message
			}
			specs = append(specs, commonSpec{spec, outcome})
		}
	}
	return specs
}

// minorsOf names the versions of cells.
func minorsOf(cells []MatrixCell) []string {
	minors := make([]string, len(cells))
	for i, cell := range cells {
		minors[i] = cell.Minor
	}
	return minors
}

// at are the cells of columns.
func (m *Matrix) at(columns []int) []MatrixCell {
	cells := make([]MatrixCell, len(columns))
	for i, column := range columns {
		cells[i] = m.Cells[column]
	}
	return cells
}

// repaired are the specs that the build repairs on some version with results.
func (m *Matrix) repaired() []partSpec {
	var specs []partSpec
	for _, spec := range m.Specs {
		here := slices.DeleteFunc(m.findings(spec), func(found finding) bool { return found.Repaired != RepairedHere })
		if len(here) > 0 {
			specs = append(specs, partSpec{spec, StatePassed, here})
		}
	}
	return specs
}

// partSpec is a spec with the versions that it came out on in one way.
type partSpec struct {
	MatrixSpec
	State    State
	Findings []finding
}

// undecided are the specs that some version with results did not decide.
func (m *Matrix) undecided() []partSpec {
	var specs []partSpec
	for _, spec := range m.Specs {
		open := slices.DeleteFunc(m.findings(spec), func(found finding) bool { return found.State != StateUndecided })
		if len(open) > 0 {
			specs = append(specs, partSpec{spec, StateUndecided, open})
		}
	}
	return specs
}

// having is "has results", or what is said instead of it where some spec is undecided.
func (m *Matrix) having(decided string) string {
	if len(m.undecided()) > 0 {
		return decided
	}
	return "has results"
}

// withResults are the columns of the versions that have results.
func (m *Matrix) withResults() []int {
	var columns []int
	for column, cell := range m.Cells {
		if cell.HasResults() {
			columns = append(columns, column)
		}
	}
	return columns
}

// cellsIn are the columns with results in which a spec is in a state.
func (m *Matrix) cellsIn(spec MatrixSpec, state State) []int {
	var columns []int
	for _, column := range m.withResults() {
		if spec.Cells[column].State == state {
			columns = append(columns, column)
		}
	}
	return columns
}

// listed are the known defects and exemptions: those of every version, and the specs that are exempt on some versions
// and came out alike on the others.
func (m *Matrix) listed() []commonSpec {
	specs := m.common(StateKnownDefect, StateExempt)
	for _, spec := range m.Specs {
		in := m.cellsIn(spec, StateExempt)
		if spec.Differs || len(in) == 0 || len(in)+len(m.cellsIn(spec, StateUndecided)) == len(m.withResults()) {
			continue
		}
		outcome := spec.Cells[in[0]]
		outcome.Message = "On " + enumerate(minorsOf(m.at(in))) + " only: " + outcome.Message
		specs = append(specs, commonSpec{spec, outcome})
	}
	return specs
}

// listPart are common specs that one list has entries for. List is empty for the lists of the suite.
type listPart struct {
	List  string
	Specs []commonSpec
}

// listedParts are the listed specs parted by their lists, those of the suite first.
func (m *Matrix) listedParts() []listPart {
	var parts []listPart
	for _, spec := range m.listed() {
		at := slices.IndexFunc(parts, func(part listPart) bool { return part.List == spec.List })
		if at < 0 {
			at, parts = len(parts), append(parts, listPart{List: spec.List})
		}
		parts[at].Specs = append(parts[at].Specs, spec)
	}
	slices.SortStableFunc(parts, func(a, b listPart) int { return strings.Compare(a.List, b.List) })
	return parts
}

// since are the specs that passed on every version with results, and that earlier releases fail.
func (m *Matrix) since() []commonSpec {
	return slices.DeleteFunc(m.common(StatePassed), func(spec commonSpec) bool { return spec.Repaired != RepairedSince })
}

// finding is one way a spec came out, and the versions that it did so on.
type finding struct {
	SpecOutcome
	Cells []MatrixCell
}

// findings groups the cells with results that saw the same of a spec; worst first.
func (m *Matrix) findings(spec MatrixSpec) []finding {
	var found []finding
	for _, state := range states {
	cells:
		for column, cell := range m.Cells {
			seen := spec.Cells[column]
			if seen.State != state || !cell.HasResults() {
				continue
			}
			for i := range found {
				if found[i].State == state && found[i].Message == seen.Message {
					found[i].Cells = append(found[i].Cells, cell)
					continue cells
				}
			}
			found = append(found, finding{seen, []MatrixCell{cell}})
		}
	}
	return found
}

// link leads from the matrix to a place in a cell's report; nothing where there is no report.
func (c MatrixCell) link(anchor string) string {
	if c.Directory == "" || !c.HasResults() {
		return ""
	}
	if anchor != "" {
		anchor = "#" + anchor
	}
	return strings.TrimSuffix(c.Directory, "/") + "/" + fileHTML + anchor
}

// SpecLink leads to a spec in a cell's report.
func (c MatrixCell) SpecLink(id string) string { return c.link("spec-" + id) }

// share says how many of a row's specs passed in a cell.
func (o RowOutcome) share() string {
	if o.Totals.Total == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", o.Totals.Passed, o.Totals.Total)
}
