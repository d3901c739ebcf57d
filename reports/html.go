package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("").Funcs(template.FuncMap{
	"duration":  duration,
	"plain":     plain,
	"line":      func(s string) string { return oneLine(s, 0) },
	"why":       func(s Spec) string { return why(s, 400) },
	"web":       web,
	"linkText":  linkText,
	"words":     State.words,
	"titled":    titled,
	"defect":    defectWords,
	"count":     func(s State, n int) string { return s.count(n) },
	"plural":    plural,
	"message":   func(s string) string { return oneLine(s, 400) },
	"proxy":     Cell.proxy,
	"cellwords": CellState.words,
	"machine":   machineOf,
	"placedAt":  placedAt,
	"upgrades":  upgradePath,
	"subject":   subjectYAML,
	"facts":     (*Installation).facts,
	"capital":   func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
	"seconds":   func(s float64) string { return strconv.FormatFloat(s, 'f', 1, 64) },
}).ParseFS(pageFiles, "page/*.tmpl"))

// page is what the template of report.html sees.
type page struct {
	*Results
	Conclusion conclusion
	Subject    string
	ProxyName  string
	Started    string
	// Policy admits the page's own style and script and nothing else: what clusters print never runs.
	Policy string
	Style  template.CSS
	Script template.JS

	Tallies   []tally
	Failures  []Spec
	Undecided []Spec
	// Repaired are known defects that this build repairs, Since those that a release before it repaired.
	Repaired     []Spec
	Since        []Spec
	KnownDefects []listOf
	Exemptions   []listOf
	Promises     []rowView
	Groups       []rowView
	Timeline     timeline
}

// tally is one state's share of the specs.
type tally struct {
	State State
	Count int
	Share float64
}

// HTML renders one self-contained page. It makes no request, and without its script everything is still there.
func HTML(r *Results) ([]byte, error) {
	style, err := pageFiles.ReadFile("page/report.css")
	if err != nil {
		return nil, fmt.Errorf("read the page's style: %w", err)
	}
	script, err := pageFiles.ReadFile("page/report.js")
	if err != nil {
		return nil, fmt.Errorf("read the page's script: %w", err)
	}
	content := page{
		Results:      r,
		Conclusion:   conclude(r),
		Subject:      "Istio " + r.Cell.Istio,
		ProxyName:    r.Cell.proxy(),
		Started:      r.Run.Started.UTC().Format("2 January 2006, 15:04 UTC"),
		Policy:       policy(script),
		Style:        template.CSS(style),
		Script:       template.JS(script),
		Tallies:      tallies(r.Totals),
		Failures:     specsIn(r, StateFailed, StateFlaky),
		Undecided:    specsIn(r, StateUndecided),
		Repaired:     repairedIn(r, RepairedHere),
		Since:        repairedIn(r, RepairedSince),
		KnownDefects: byList(specsIn(r, StateKnownDefect)),
		Exemptions:   byList(specsIn(r, StateExempt)),
		Promises:     rowViews(r),
		Timeline:     newTimeline(r),
	}
	for _, row := range content.Promises {
		if len(row.Specs) > 0 {
			content.Groups = append(content.Groups, row)
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, "report.tmpl", content); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return b.Bytes(), nil
}

func policy(script []byte) string {
	sum := sha256.Sum256(script)
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
		"script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func tallies(totals Totals) []tally {
	// A pass comes first here: the strip reads from good to bad to unknown.
	order := []State{StatePassed, StateFailed, StateFlaky, StateUndecided, StateKnownDefect, StateExempt, StateNotRun}
	out := make([]tally, len(order))
	for i, state := range order {
		out[i] = tally{State: state, Count: totals.Of(state)}
		if totals.Total > 0 {
			out[i].Share = 100 * float64(out[i].Count) / float64(totals.Total)
		}
	}
	return out
}

// Iso is the start for the page's time element.
func (p page) Iso() string { return p.Run.Started.UTC().Format(time.RFC3339) }

// Class colours the page: good, bad, open for a run without a verdict, or partial for a pass that is less than the
// release's.
func (p page) Class() string {
	switch {
	case p.Conclusion.Open:
		return "open"
	case !p.Conclusion.Signable:
		return "bad"
	case p.Run.Filter != "":
		return "partial"
	}
	return "good"
}

// MachineWords describes the run's machine; empty where nothing was measured.
func (p page) MachineWords() string {
	if p.Run.Machine == nil {
		return ""
	}
	return p.Run.Machine.words()
}

// HasLevel says whether any spec of the run reaches a level of evidence.
func (p page) HasLevel() bool {
	return slices.ContainsFunc(p.Specs, func(s Spec) bool { return s.Level != "" })
}
