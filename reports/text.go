package reports

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal matches the escape sequences that colour a terminal; tools under test print them, reports must not.
var terminal = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")

// plain makes text of a cluster safe to show: valid UTF-8 without escape sequences or control characters.
func plain(text string) string {
	text = terminal.ReplaceAllString(strings.ToValidUTF8(text, "�"), "")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) && r != 0xFFFE && r != 0xFFFF {
			return r
		}
		return -1
	}, text)
}

// oneLine folds text into at most limit runes; no limit below 1.
func oneLine(text string, limit int) string {
	text = strings.Join(strings.Fields(plain(text)), " ")
	if limit < 1 || utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " ") + "…"
}

// why is the one line that explains a spec's state: the failure's own words, else the listed reason.
func why(spec Spec, limit int) string {
	switch spec.State {
	case StateFailed, StateFlaky:
		if spec.Failure != "" {
			return oneLine(spec.Failure, limit)
		}
		if spec.Reason != "" {
			return oneLine(spec.Reason, limit)
		}
		return "no message was recorded"
	case StatePassed:
		if repaired := repairWords(spec); repaired != "" {
			return oneLine(repaired+": "+spec.Reason, limit)
		}
		return ""
	}
	if spec.Reason != "" {
		return oneLine(spec.Reason, limit)
	}
	return "no reason was recorded"
}

// repairWords says how a spec that passed was repaired; empty where it was not.
func repairWords(spec Spec) string {
	switch spec.Repaired() {
	case RepairedHere:
		return "repaired by this build; releases " + spec.Defect.Affected + " fail it"
	case RepairedSince:
		if spec.Defect.Release != "" {
			return "repaired in " + spec.Defect.Release
		}
		if spec.Defect.Last == "" {
			return "repaired since releases " + spec.Defect.Affected
		}
		return "repaired since " + spec.Defect.Last
	}
	return ""
}

// defectWords says what a user loses by a known defect, and which releases repaired it; empty for a spec that is none.
func defectWords(spec Spec) string {
	if spec.Defect == nil {
		return ""
	}
	said := spec.Defect.Severity
	if spec.Defect.Fixed != "" && spec.State == StateKnownDefect {
		said += ", repaired in " + spec.Defect.Fixed
	}
	return said
}

// words names a state for a reader.
func (s State) words() string {
	switch s {
	case StateKnownDefect:
		return "known defect"
	case StateNotRun:
		return "not run"
	}
	return string(s)
}

// glyph is the state's shape, so that no report depends on colour.
func (s State) glyph() string {
	switch s {
	case StatePassed:
		return "✓"
	case StateFailed:
		return "✗"
	case StateFlaky:
		return "↻"
	case StateUndecided:
		return "?"
	case StateKnownDefect:
		return "◆"
	case StateExempt:
		return "○"
	}
	return "–"
}

// count gives "2 known defects", "1 failed".
func (s State) count(n int) string {
	if s == StateKnownDefect {
		return plural(n, "known defect")
	}
	return fmt.Sprintf("%d %s", n, s.words())
}

// duration is seconds for a reader: three digits that matter, no more.
func duration(seconds float64) string {
	switch {
	case seconds < 0.0005:
		return "0 s"
	case seconds < 0.9995:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case seconds < 9.995:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds < 99.95:
		return fmt.Sprintf("%.1f s", seconds)
	}
	whole := int(math.Round(seconds))
	if whole < 3600 {
		return fmt.Sprintf("%d min %02d s", whole/60, whole%60)
	}
	return fmt.Sprintf("%d h %02d min", whole/3600, whole%3600/60)
}
