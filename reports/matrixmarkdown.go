package reports

import (
	"fmt"
	"strings"
)

// Markdown renders the matrix for a step summary; its links are relative to the matrix' folder.
func (m *Matrix) Markdown() []byte {
	var b strings.Builder
	end := m.conclude()
	subject := "no subject"
	if m.Cell.Istio != "" {
		subject = m.Cell.subject()
	}
	fmt.Fprintf(&b, "# %s %s: %s on Kubernetes %s\n\n", end.mark(), end.Word, text(subject), text(enumerate(m.minors())))
	fmt.Fprintf(&b, "%s\n\n", end.Sentence)
	if m.Cell.Istio != "" {
		fmt.Fprintf(&b, "Proxy: %s · ", text(m.Cell.proxy()))
	}
	fmt.Fprintf(&b, "started %s · %s", m.Run.Started.UTC().Format("2006-01-02 15:04 UTC"), duration(m.Run.Seconds))
	if m.Run.Filter != "" {
		fmt.Fprintf(&b, " · filter %s", code(m.Run.Filter))
	}
	b.WriteString("\n\n")
	m.markdownCells(&b)
	markdownParts(&b, "Repaired", m.repaired())
	m.markdownProblems(&b)
	m.markdownDifferences(&b)
	m.markdownCommon(&b, "Failed on every version that "+m.having("decided the spec"), m.common(StateFailed, StateFlaky))
	markdownParts(&b, "Undecided", m.undecided())
	m.markdownRows(&b)
	for _, part := range m.listedParts() {
		m.markdownCommon(&b, titled("Known defects and exemptions", part.List), part.Specs)
	}
	m.markdownCommon(&b, "Repaired since earlier releases", m.since())
	markdownSubject(&b, m.Subject, m.Installation)
	fmt.Fprintf(&b, "Matrix %s", code(m.Run.ID))
	if m.Run.Command != "" {
		fmt.Fprintf(&b, " · repeat with %s", code(m.Run.Command))
	}
	b.WriteString("\n")
	for _, note := range m.Notes {
		fmt.Fprintf(&b, "\n%s\n", text(note))
	}
	return []byte(b.String())
}

// glyph is the state's shape, so that no report depends on colour.
func (s CellState) glyph() string {
	switch s {
	case CellPassed:
		return StatePassed.glyph()
	case CellFailed:
		return StateFailed.glyph()
	case CellUndecided:
		return StateUndecided.glyph()
	case CellAborted:
		return "⚠"
	}
	return StateNotRun.glyph()
}

func (m *Matrix) markdownCells(b *strings.Builder) {
	b.WriteString("| | Kubernetes | state | passed | failed | flaky | undecided | known defects | exempt | not run | " +
		"specs | time |\n")
	b.WriteString("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, cell := range m.Cells {
		fmt.Fprintf(b, "| %s | %s | ", cell.State.glyph(), linked(text(cell.Kubernetes), cell.link("")))
		why := cell.State.words()
		if cell.Why != "" {
			why += ": " + text(oneLine(cell.Why, markdownWhy))
		}
		fmt.Fprintf(b, "%s |", why)
		if !cell.HasResults() {
			b.WriteString(" | | | | | | | | |\n")
			continue
		}
		t := cell.Totals
		fmt.Fprintf(b, " %d | %d | %d | %d | %d | %d | %d | **%d** | %s |\n",
			t.Passed, t.Failed, t.Flaky, t.Undecided, t.KnownDefect, t.Exempt, t.NotRun, t.Total, duration(cell.Seconds))
	}
	b.WriteString("\n")
}

func (m *Matrix) markdownProblems(b *strings.Builder) {
	if len(m.Problems) == 0 && !m.HasCellProblems() {
		return
	}
	b.WriteString("## Problems\n\n")
	for _, line := range m.Problems {
		fmt.Fprintf(b, "- %s\n", text(oneLine(line, 0)))
	}
	for _, cell := range m.Cells {
		for _, line := range cell.Problems {
			fmt.Fprintf(b, "- **%s** %s\n", text(cell.Kubernetes), text(oneLine(line, 0)))
		}
	}
	b.WriteString("\n")
}

func (m *Matrix) markdownDifferences(b *strings.Builder) {
	if !m.Comparable() {
		return
	}
	b.WriteString("## Differences between versions\n\n")
	specs := m.differences()
	if len(specs) == 0 {
		fmt.Fprintf(b, "None: every spec came out alike on each version that %s.\n\n", m.having("decided it"))
		return
	}
	for _, spec := range specs {
		markdownFindings(b, spec, m.findings(spec))
	}
	b.WriteString("\n")
}

// markdownFindings is a spec with the ways that it came out in.
func markdownFindings(b *strings.Builder, spec MatrixSpec, findings []finding) {
	fmt.Fprintf(b, "- **%s** %s\n", text(oneLine(spec.Name, 0)), code(spec.ID))
	for _, found := range findings {
		versions := make([]string, len(found.Cells))
		for i, cell := range found.Cells {
			versions[i] = linked(text(cell.Kubernetes), cell.SpecLink(spec.ID))
		}
		fmt.Fprintf(b, "  - %s %s on %s", found.State.glyph(), found.State.words(), enumerate(versions))
		if found.Message != "" {
			fmt.Fprintf(b, ": %s", text(oneLine(found.Message, markdownWhy)))
		}
		b.WriteString("\n")
	}
}

// markdownParts are specs with the versions that they came out on in one way.
func markdownParts(b *strings.Builder, title string, specs []partSpec) {
	if len(specs) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, spec := range specs {
		markdownFindings(b, spec.MatrixSpec, spec.Findings)
	}
	b.WriteString("\n")
}

func (m *Matrix) markdownCommon(b *strings.Builder, title string, specs []commonSpec) {
	if len(specs) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", text(title))
	for _, spec := range specs {
		fmt.Fprintf(b, "- %s **%s** %s  \n  %s", spec.State.glyph(), text(oneLine(spec.Name, 0)), code(spec.ID), text(oneLine(spec.Message, markdownWhy)))
		if link := web(spec.Link); link != "" {
			fmt.Fprintf(b, " ([%s](%s))", text(linkText(link)), target(link))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (m *Matrix) markdownRows(b *strings.Builder) {
	if len(m.Rows) == 0 {
		return
	}
	b.WriteString("## Promises\n\nNumbers are specs that passed, of all. ≠ marks a promise whose specs differ between versions.\n\n| | promise |")
	for _, cell := range m.Cells {
		fmt.Fprintf(b, " %s |", text(cell.Minor))
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(m.Cells)) + "\n")
	for _, row := range m.Rows {
		mark := ""
		if row.Differs {
			mark = "≠"
		}
		fmt.Fprintf(b, "| %s | %s<br>%s |", mark, text(row.Title), code(row.ID))
		for _, field := range m.promise(row).Fields {
			fmt.Fprintf(b, " %s |", field.markdown())
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// markdown is a field of the table.
func (f matrixField) markdown() string {
	if !f.Cell.HasResults() {
		return f.Cell.State.glyph() + " " + f.Cell.State.words()
	}
	said := f.State.glyph() + " "
	if f.State != StatePassed {
		said += f.State.words() + " "
	}
	said = linked(strings.TrimSpace(said+f.Share), f.Link)
	if f.Odd {
		said = "**" + said + "**"
	}
	return said
}

// linked is text that leads somewhere, if there is somewhere to lead to.
func linked(shown, link string) string {
	if link == "" {
		return shown
	}
	return "[" + shown + "](" + target(link) + ")"
}
