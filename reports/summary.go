package reports

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// What the summary shows of a list, so that it stays on one screen; the reports have the rest.
const (
	summaryFailures = 8
	summaryListed   = 5
	summaryWidth    = 100
)

// Summary writes what the driver says at the end of a run, on one screen: the verdict, each failure with one line of
// why, the known defects, and where the reports are. Lines are at most width columns; no width means 100.
func Summary(w io.Writer, r *Results, dir string, width int) error {
	if width < 40 {
		width = summaryWidth
	}
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fit(fmt.Sprintf(format, args...), width)) }
	end := conclude(r)
	add("%s on Kubernetes %s, %s, %s on %s", r.Cell.subject(), r.Cell.Kubernetes, r.Cell.proxy(), duration(r.Run.Seconds), processes(r.Run.Procs))
	// The one thing that is never cut.
	lines = append(lines, wrap(strings.ToUpper(end.Word)+": "+end.Sentence, width)...)
	if r.Run.Machine != nil {
		lines = append(lines, wrap("Machine: "+r.Run.Machine.words(), width)...)
	}
	var counts []string
	for _, tally := range tallies(totalsOf(r.Specs)) {
		counts = append(counts, tally.State.count(tally.Count))
	}
	add("")
	add("  %s", strings.Join(counts, " · "))

	list := func(title string, most int, specs []Spec) {
		if len(specs) == 0 {
			return
		}
		add("")
		add("%s", title)
		for i, spec := range specs {
			if i == most {
				add("  … and %d more in %s", len(specs)-most, fileMarkdown)
				break
			}
			name := fmt.Sprintf("  %s %s", spec.State.glyph(), spec.ID)
			if said := defectWords(spec); said != "" && spec.State == StateKnownDefect {
				name += "  (" + said + ")"
			}
			if link := web(spec.Link); link != "" {
				name += "  " + linkText(link)
			}
			add("%s", name)
			add("    %s", why(spec, 0))
			if spec.Diagnostics != "" && spec.State != StateKnownDefect && spec.State != StatePassed {
				// A path that is cut cannot be opened.
				lines = append(lines, "    "+filepath.Join(dir, spec.Diagnostics))
			}
		}
	}
	tell := func(title string, said []string) {
		for i, line := range said {
			if i == 0 {
				add("")
				add("%s", title)
			}
			if i == summaryFailures {
				add("  … and %d more in %s", len(said)-i, fileMarkdown)
				break
			}
			add("  %s", oneLine(line, 0))
		}
	}
	if r.SelfCheck != nil {
		var found []string
		for _, row := range r.SelfCheck.Findings() {
			found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s  %s", row.ID, row.Verdict, row.Message)))
		}
		tell("Findings of the negative control", found)
	}
	list("Repaired", summaryFailures, repairedIn(r, RepairedHere))
	tell("Problems", r.Problems)
	tell("Causes outside of the build", r.Causes)
	list("Failures", summaryFailures, specsIn(r, StateFailed, StateFlaky))
	list("Undecided", summaryFailures, specsIn(r, StateUndecided))
	for _, part := range byList(specsIn(r, StateKnownDefect)) {
		list(titled("Known defects", part.List), summaryListed, part.Specs)
	}
	list("Repaired since earlier releases", summaryListed, repairedIn(r, RepairedSince))

	claim := "no Gateway API claim: the run was filtered, incomplete or undecided"
	if _, ok := outcomes(r); ok {
		claim = fileConformance + ", " + fileConformancePublished
	}
	add("")
	add("Reports")
	lines = append(lines, "  "+filepath.Join(dir, fileHTML), "  "+filepath.Join(dir, fileMarkdown))
	add("  beside them: %s, %s", fileJUnit, fileResults)
	add("  %s", claim)
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func fit(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return strings.TrimRight(string([]rune(line)[:width-1]), " ") + "…"
}

// wrap breaks a sentence between words.
func wrap(sentence string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(sentence) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
