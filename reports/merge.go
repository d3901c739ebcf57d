package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Outcome is what became of one cell of a matrix.
type Outcome struct {
	// Name is what the user calls it, in messages: a folder or a version.
	Name string
	// Kubernetes is the version, or the minor where no more is known. Results know better.
	Kubernetes string
	// Directory holds the cell's reports, below that of the matrix; empty where there are none.
	Directory string
	// Results are nil where the cell has no verdict; State and Why then say what happened.
	Results *Results
	State   CellState
	Why     string
}

// minor names the outcome's column.
func (o Outcome) minor() string {
	if o.Results != nil {
		return kindconfig.Minor(o.Results.Cell.Kubernetes)
	}
	return kindconfig.Minor(o.Kubernetes)
}

// Merge puts the outcomes of cells side by side. They must be of one subject, of different Kubernetes
// versions and of the same selection of specs: anything else is an error of usage.
func Merge(run Run, outcomes []Outcome) (*Matrix, error) {
	outcomes = slices.Clone(outcomes)
	slices.SortStableFunc(outcomes, func(a, b Outcome) int { return compareVersions(a.minor(), b.minor()) })
	if err := mergeable(outcomes); err != nil {
		return nil, err
	}
	m := &Matrix{Schema: Schema, Run: run}
	for _, o := range outcomes {
		cell := MatrixCell{Minor: o.minor(), Kubernetes: o.Kubernetes, State: o.State, Why: oneLine(o.Why, 0), Directory: o.Directory}
		if r := o.Results; r != nil {
			r.Tally()
			m.Cell = r.Cell
			if m.Subject == nil {
				m.Subject = r.Subject
			}
			if m.Installation == nil && r.Installation != nil {
				common := *r.Installation
				common.Node = ""
				m.Installation = &common
			}
			m.Run.Filter = r.Run.Filter
			cell.Kubernetes, cell.Run, cell.Seconds, cell.Totals = r.Cell.Kubernetes, r.Run.ID, r.Run.Seconds, r.Totals
			cell.Problems = r.Problems
			cell.State, cell.Why = CellPassed, ""
			if r.Totals.Undecided > 0 {
				cell.State, cell.Why = CellUndecided, undecidedLine(r)
			}
			if faults := faultsOf(r); len(faults) > 0 {
				cell.State, cell.Why = CellFailed, strings.Join(append(faults, besides(r.Totals)...), ", ")
			}
		}
		m.Cells = append(m.Cells, cell)
	}
	m.Cell.Kubernetes = ""
	m.mergeSpecs(outcomes)
	m.mergeRows(outcomes)
	m.mergeImages(outcomes)
	return m, nil
}

// mergeable finds what must not stand side by side.
func mergeable(outcomes []Outcome) error {
	columns := map[string]Outcome{}
	var first *Outcome
	for i, o := range outcomes {
		minor := o.minor()
		if strings.Count(minor, ".") != 1 {
			return problem.Usage(fmt.Sprintf("the cell's Kubernetes version is %q", cmp.Or(o.Kubernetes, minor)), o.Name, "name the folder of a run of the suite")
		}
		if other, taken := columns[minor]; taken {
			return problem.Usage("two results of the same cell, Kubernetes "+minor, other.Name+" and "+o.Name, "name one of them")
		}
		columns[minor] = o
		if o.Results == nil {
			continue
		}
		if first == nil {
			first = &outcomes[i]
			continue
		}
		if err := sameSubject(*first, o); err != nil {
			return err
		}
	}
	if first == nil {
		for _, o := range outcomes {
			if o.State == CellAborted {
				// A matrix of which nothing came up is still one to look at.
				return nil
			}
		}
		return problem.Usage("there are no results to merge", "", "name the folders of finished runs")
	}
	return nil
}

// sameSubject compares what two cells tested, and which specs they selected.
func sameSubject(a, b Outcome) error {
	refuse := func(what, one, other string) error {
		return problem.Usage(fmt.Sprintf("the cells are of different %s: %s in %s, %s in %s", what, one, a.Name, other, b.Name),
			"", "merge results of one subject only")
	}
	x, y := a.Results, b.Results
	switch {
	case x.Cell.subject() != y.Cell.subject():
		return refuse("subjects", x.Cell.subject(), y.Cell.subject())
	case x.Cell.Proxy != y.Cell.Proxy:
		return refuse("proxies", x.Cell.proxy(), y.Cell.proxy())
	case x.Installation != nil && y.Installation != nil && x.Installation.words() != y.Installation.words():
		return refuse("installations", x.Installation.words(), y.Installation.words())
	case x.Run.Filter != y.Run.Filter:
		return refuse("selections of specs", cmp.Or(x.Run.Filter, "every spec"), cmp.Or(y.Run.Filter, "every spec"))
	}
	if x.Subject != nil && y.Subject != nil {
		for _, part := range []string{kindconfig.PartSource, kindconfig.PartIstioctl, kindconfig.PartCharts} {
			one, other := partOf(x, part), partOf(y, part)
			if one.Digest != other.Digest && one.Digest != "" && other.Digest != "" {
				return refuse(part+" digests", one.From+"@"+one.Digest, other.From+"@"+other.Digest)
			}
		}
	}
	for _, image := range x.Images {
		if image.Role != RoleSubject {
			continue
		}
		for _, other := range y.Images {
			switch {
			case other.Role != RoleSubject || other.Name != image.Name:
			case image.Reference != other.Reference:
				return refuse("hubs", image.Reference, other.Reference)
			// A published tag that moved is another build. What is built twice may differ in its base alone.
			case image.Source == SourcePublished && image.Digest != other.Digest:
				return refuse("subjects", image.Reference+"@"+image.Digest, "@"+other.Digest)
			}
		}
	}
	return nil
}

// partOf is a part of a run's subject. It has no digest where it is not known, and where it is an istioctl that the run
// built, because two machines may build different files from one source.
func partOf(r *Results, name string) kindconfig.Part {
	for _, part := range r.Subject.Parts {
		if part.Name != name {
			continue
		}
		taken := part.Origin == kindconfig.OriginFile || r.Cell.Source == SourcePublished
		if name == kindconfig.PartIstioctl && !taken {
			part.Digest = ""
		}
		return part
	}
	return kindconfig.Part{}
}

// mergeSpecs lists every spec of any cell, in the order of the rows and ids.
func (m *Matrix) mergeSpecs(outcomes []Outcome) {
	position, unknown := map[string]int{}, make([][]string, len(outcomes))
	var specs []MatrixSpec
	for column, o := range outcomes {
		if o.Results == nil {
			continue
		}
		for _, spec := range o.Results.Specs {
			at, known := position[spec.ID]
			if !known {
				at = len(specs)
				position[spec.ID] = at
				specs = append(specs, MatrixSpec{ID: spec.ID, Row: spec.Row, Name: spec.Name, Cells: make([]SpecOutcome, len(outcomes))})
			}
			specs[at].Cells[column] = outcomeOfSpec(spec)
		}
	}
	for i := range specs {
		seen := map[State]bool{}
		for column, o := range outcomes {
			cell := &specs[i].Cells[column]
			if cell.State == "" {
				cell.State = StateNotRun
				if o.Results != nil {
					cell.Message = "this cell's suite has no such spec"
					unknown[column] = append(unknown[column], specs[i].ID)
				}
			}
			// Where it is exempt for the version, another outcome elsewhere is what the lists say. An undecided one
			// says nothing.
			if o.Results != nil && cell.State != StateExempt && cell.State != StateUndecided {
				seen[cell.State] = true
			}
		}
		specs[i].Differs = len(seen) > 1
	}
	for column, ids := range unknown {
		if len(ids) > 0 {
			m.Problems = append(m.Problems, fmt.Sprintf("Kubernetes %s ran another suite: it has no %s", m.Cells[column].Kubernetes, abridged(ids)))
		}
	}
	m.Specs = specs
}

// abridged names a few of many.
func abridged(ids []string) string {
	const shown = 3
	if len(ids) <= shown {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:shown], ", "), len(ids)-shown)
}

// mergeRows lists every row of any cell and puts the specs in its order. In a cell without results no
// row ran.
func (m *Matrix) mergeRows(outcomes []Outcome) {
	position := map[string]int{}
	for _, o := range outcomes {
		if o.Results == nil {
			continue
		}
		for _, row := range o.Results.Rows {
			if _, known := position[row.ID]; !known {
				position[row.ID] = len(m.Rows)
				m.Rows = append(m.Rows, MatrixRow{ID: row.ID, Title: row.Title, Cells: make([]RowOutcome, len(outcomes))})
			}
		}
	}
	for column, o := range outcomes {
		byRow := map[string][]Spec{}
		if o.Results != nil {
			for _, spec := range o.Results.Specs {
				byRow[spec.Row] = append(byRow[spec.Row], spec)
			}
		}
		for i := range m.Rows {
			specs := byRow[m.Rows[i].ID]
			reached := make([]State, len(specs))
			for at, spec := range specs {
				reached[at] = spec.State
			}
			m.Rows[i].Cells[column] = RowOutcome{State: RowState(reached), Totals: totalsOf(specs)}
		}
	}
	for _, spec := range m.Specs {
		if spec.Differs {
			m.Rows[position[spec.Row]].Differs = true
		}
	}
	slices.SortStableFunc(m.Specs, func(a, b MatrixSpec) int {
		return cmp.Or(cmp.Compare(position[a.Row], position[b.Row]), strings.Compare(a.ID, b.ID))
	})
}

// mergeImages parts the images that all cells share from those of a cell.
func (m *Matrix) mergeImages(outcomes []Outcome) {
	count, ran := map[Image]int{}, 0
	for _, o := range outcomes {
		if o.Results != nil {
			ran++
			for _, image := range o.Results.Images {
				count[image]++
			}
		}
	}
	apart := map[string]bool{}
	shared := map[Image]bool{}
	for column, o := range outcomes {
		if o.Results == nil {
			continue
		}
		for _, image := range o.Results.Images {
			switch {
			case count[image] < ran:
				m.Cells[column].Images = append(m.Cells[column].Images, image)
				apart[image.Name] = apart[image.Name] || image.Role == RoleSubject
			case !shared[image]:
				shared[image] = true
				m.Images = append(m.Images, image)
			}
		}
	}
	var built []string
	for name, subject := range apart {
		if subject {
			built = append(built, name)
		}
	}
	if slices.Sort(built); len(built) > 0 {
		m.Notes = append(m.Notes, "The cells built the subject apart from each other: the digests of "+strings.Join(built, ", ")+" differ.")
	}
}

// headline is the first line of why a spec did not pass. A line of a word or two, such as Gomega's
// "Expected", says nothing without those after it.
func headline(spec Spec) string {
	const words, limit = 3, 200
	if spec.State == StateFailed || spec.State == StateFlaky {
		if first, _, _ := strings.Cut(strings.TrimSpace(plain(spec.Failure)), "\n"); len(strings.Fields(first)) >= words {
			spec.Failure = first
		} else {
			spec.Failure = oneLine(spec.Failure, limit)
		}
	}
	return why(spec, 0)
}

// compareVersions orders 1.9 before 1.10.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		if errM != nil || errN != nil {
			return strings.Compare(a, b)
		}
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return cmp.Compare(len(x), len(y))
}
