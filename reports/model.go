// Package reports holds the result model of a run and renders it: JSON, JUnit, Markdown, one
// self-contained HTML page, and the Gateway API conformance reports.
package reports

import "time"

// Schema is the version of results.json that this package writes and reads.
const Schema = 1

// State is how a spec, or a row of specs, came out.
type State string

// The states. Only StatePassed is a pass.
const (
	StatePassed State = "passed"
	StateFailed State = "failed"
	// StateFlaky is a spec that passed only when tried again; it fails the run.
	StateFlaky State = "flaky"
	// StateKnownDefect is a spec that failed as the list of the subject's known defects says.
	StateKnownDefect State = "known-defect"
	// StateExempt is a spec that the proxy under test cannot show.
	StateExempt State = "exempt"
	StateNotRun State = "not-run"
)

// states lists them in the order of the reports: what needs a reader first.
var states = []State{StateFailed, StateFlaky, StateKnownDefect, StateExempt, StateNotRun, StatePassed}

// Level says how deep a spec's evidence reaches.
type Level string

// The levels, strongest first.
const (
	LevelTraffic Level = "traffic"
	LevelConfig  Level = "config"
	LevelAPI     Level = "api"
)

// Source says where the subject or an image came from.
type Source string

// The sources.
const (
	SourceBuilt     Source = "built"
	SourcePublished Source = "published"
)

// Flavour says whose proxy carries the traffic.
type Flavour string

// The flavours: Envoy's own release, or Istio's build of it.
const (
	FlavourUpstream Flavour = "upstream"
	FlavourIstio    Flavour = "istio"
)

// Role says what an image is in the run.
type Role string

// The roles.
const (
	RoleSubject Role = "subject"
	// RoleRelease is another version of Istio, which upgrades start from or lead to.
	RoleRelease    Role = "release"
	RoleKubernetes Role = "kubernetes"
	// RoleInstrument is what measures; it is the same whatever the subject.
	RoleInstrument Role = "instrument"
)

// Results is everything one run of one cell found out: the content of results.json.
type Results struct {
	Schema int     `json:"schema"`
	Run    Run     `json:"run"`
	Cell   Cell    `json:"cell"`
	Images []Image `json:"images"`
	// Rows are all promises of the catalogue, in its order, those without specs included.
	Rows   []Row  `json:"rows"`
	Specs  []Spec `json:"specs"`
	Totals Totals `json:"totals"`
	// Engine describes the container engine, for example "docker 28.0.1".
	Engine string `json:"engine"`
	// Problems are faults of the run itself, one line each: a known defect that passed, an
	// exemption that names no spec, a cluster that did not come up. Any of them fails the run.
	Problems []string `json:"problems,omitempty"`
}

// Run says when and how the specs ran.
type Run struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Filter is the label filter or focus as the user gave it; empty means every spec.
	Filter string `json:"filter"`
	// Procs is the number of parallel Ginkgo processes.
	Procs int `json:"procs"`
	// Command repeats the run.
	Command string `json:"command"`
}

// Cell is one Kubernetes version and one subject.
type Cell struct {
	Kubernetes string `json:"kubernetes"`
	Istio      string `json:"istio"`
	Source     Source `json:"source"`
	Proxy      Proxy  `json:"proxy"`
}

// Proxy is the data plane that carried the traffic.
type Proxy struct {
	Flavour Flavour `json:"flavour"`
	Version string  `json:"version"`
}

// Image is one container image of the run.
type Image struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Source    Source `json:"source"`
	Role      Role   `json:"role"`
}

// Row is one promise of the release; its state follows from its specs.
type Row struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	State State  `json:"state"`
}

// Spec is the outcome of one spec.
type Spec struct {
	// ID is the row's id, a slash, and a slug; rows below gatewayapi/ end in the upstream test's ShortName.
	ID    string `json:"id"`
	Row   string `json:"row"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Level is the strongest evidence the spec reaches; empty where it gathered none.
	Level    Level      `json:"level,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Seconds  float64    `json:"seconds"`
	// Start is in seconds since the run's start.
	Start float64 `json:"start"`
	// Process is the Ginkgo process that ran the spec, counted from 1.
	Process  int `json:"process"`
	Attempts int `json:"attempts"`
	// Reason and Link explain a known defect, an exemption or a spec that did not run.
	Reason string `json:"reason,omitempty"`
	Link   string `json:"link,omitempty"`
	// Diagnostics is a folder below the run's directory.
	Diagnostics string `json:"diagnostics,omitempty"`
	Failure     string `json:"failure,omitempty"`
	Location    string `json:"location,omitempty"`
	// Replay are the commands that repeat the spec by hand.
	Replay []string `json:"replay,omitempty"`
}

// Evidence is one thing a spec saw.
type Evidence struct {
	Level Level  `json:"level"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Totals count specs by state.
type Totals struct {
	Passed      int `json:"passed"`
	Failed      int `json:"failed"`
	Flaky       int `json:"flaky"`
	KnownDefect int `json:"knownDefect"`
	Exempt      int `json:"exempt"`
	NotRun      int `json:"notRun"`
	Total       int `json:"total"`
}

// Ran counts the specs that came to an outcome.
func (t Totals) Ran() int { return t.Passed + t.Failed + t.Flaky + t.KnownDefect }

// Of gives the count of one state.
func (t Totals) Of(state State) int {
	switch state {
	case StatePassed:
		return t.Passed
	case StateFailed:
		return t.Failed
	case StateFlaky:
		return t.Flaky
	case StateKnownDefect:
		return t.KnownDefect
	case StateExempt:
		return t.Exempt
	case StateNotRun:
		return t.NotRun
	}
	return 0
}
