package reports

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// conclusion is the run's verdict in words, the same in every report.
type conclusion struct {
	Signable bool
	// Open says that nothing failed and something is undecided.
	Open     bool
	Word     string
	Sentence string
}

func conclude(r *Results) conclusion {
	if r.SelfCheck != nil {
		end := conclusion{Word: "Negative control failed", Sentence: r.SelfCheck.sentence()}
		switch err := r.SelfCheck.Verdict(); {
		case err == nil:
			end.Word, end.Signable = "Negative control passed", true
		case problem.IsUndecided(err):
			end.Word, end.Open = "Negative control undecided", true
		}
		return end
	}
	totals := totalsOf(r.Specs)
	if faults := faultsOf(r); len(faults) > 0 {
		return conclusion{Word: "Failed", Sentence: sentence(slices.Concat(repairsOf(totals), faults, besides(totals)))}
	}
	said := append(repairsOf(totals), fmt.Sprintf("%d of %s passed", totals.Passed, plural(totals.Total, "spec")))
	for _, state := range []State{StateKnownDefect, StateExempt, StateNotRun} {
		if n := totals.Of(state); n > 0 {
			said = append(said, state.count(n))
		}
	}
	if totals.Undecided > 0 {
		return conclusion{Open: true, Word: "Undecided", Sentence: sentence(append([]string{undecidedLine(r)}, said...))}
	}
	if r.Run.Filter != "" {
		return conclusion{Signable: true, Word: "Passed, filtered",
			Sentence: sentence(append(said, "a filtered run makes no claim about the release"))}
	}
	if untried := len(rowsIn(r, StateNotRun)); untried > 0 {
		said = append(said, fmt.Sprintf("%d of %s not tried", untried, plural(len(r.Rows), "promise")))
	}
	return conclusion{Signable: true, Word: "Passed", Sentence: sentence(said)}
}

// repairsOf says how many known defects the build repairs, which comes first.
func repairsOf(totals Totals) []string {
	if totals.Repaired == 0 {
		return nil
	}
	return []string{plural(totals.Repaired, "known defect") + " repaired"}
}

// Seal is the state whose symbol stands beside the verdict.
func (c conclusion) Seal() State {
	switch {
	case c.Signable:
		return StatePassed
	case c.Open:
		return StateUndecided
	}
	return StateFailed
}

// mark is the verdict's sign in Markdown.
func (c conclusion) mark() string {
	switch c.Seal() {
	case StatePassed:
		return "✅"
	case StateUndecided:
		return "❔"
	}
	return "❌"
}

func sentence(parts []string) string {
	joined := strings.Join(parts, ", ") + "."
	return strings.ToUpper(joined[:1]) + joined[1:]
}

// rowView is a row with its specs.
type rowView struct {
	Row
	Specs   []Spec
	Totals  Totals
	Seconds float64
}

// Tried says how a row's specs came out, as far as its state does not say it already.
func (v rowView) Tried() string {
	if v.Totals.Total == 0 {
		return "no spec ran"
	}
	parts := []string{plural(v.Totals.Total, "spec")}
	for _, state := range states {
		if n := v.Totals.Of(state); n > 0 && n < v.Totals.Total {
			parts = append(parts, state.count(n))
		}
	}
	return strings.Join(parts, ", ")
}

func rowViews(r *Results) []rowView {
	views := make([]rowView, len(r.Rows))
	position := map[string]int{}
	for i, row := range r.Rows {
		views[i].Row = row
		position[row.ID] = i
	}
	for _, spec := range r.Specs {
		view := &views[position[spec.Row]]
		view.Specs = append(view.Specs, spec)
		view.Seconds += spec.Seconds
	}
	for i := range views {
		views[i].Totals = totalsOf(views[i].Specs)
	}
	return views
}

func rowsIn(r *Results, state State) []Row {
	var rows []Row
	for _, row := range r.Rows {
		if row.State == state {
			rows = append(rows, row)
		}
	}
	return rows
}

func specsIn(r *Results, wanted ...State) []Spec {
	var specs []Spec
	for _, state := range wanted {
		for _, spec := range r.Specs {
			if spec.State == state {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// repairedIn are the specs that passed and were repaired in one way.
func repairedIn(r *Results, how Repair) []Spec {
	var specs []Spec
	for _, spec := range r.Specs {
		if spec.Repaired() == how {
			specs = append(specs, spec)
		}
	}
	return specs
}

// listOf are specs that one list has entries for. List is empty for the lists of the suite, else the vendor's file.
type listOf struct {
	List  string
	Specs []Spec
}

// byList parts specs by the lists that explain them, those of the suite first.
func byList(specs []Spec) []listOf {
	var parts []listOf
	for _, spec := range specs {
		at := slices.IndexFunc(parts, func(part listOf) bool { return part.List == spec.List })
		if at < 0 {
			at, parts = len(parts), append(parts, listOf{List: spec.List})
		}
		parts[at].Specs = append(parts[at].Specs, spec)
	}
	slices.SortStableFunc(parts, func(a, b listOf) int { return strings.Compare(a.List, b.List) })
	return parts
}

// titled is a title for the specs of a list.
func titled(title, list string) string {
	if list == "" {
		return title
	}
	return title + " from the vendor's list " + oneLine(list, 0)
}

// subject names the build under test.
func (c Cell) subject() string { return fmt.Sprintf("Istio %s (%s)", c.Istio, c.Source) }

// proxy names the data plane.
func (c Cell) proxy() string {
	if c.Proxy.Flavour == FlavourUpstream {
		return "upstream Envoy " + c.Proxy.Version
	}
	return "Istio's proxy " + c.Proxy.Version
}

// web keeps only links that a browser may follow: lists of defects are data, and data may be wrong.
func web(link string) string {
	parsed, err := url.Parse(link)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return link
}
