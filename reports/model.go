// Package reports holds the result model of a run and renders it: JSON, JUnit, Markdown, one
// self-contained HTML page, and the Gateway API conformance reports.
package reports

import (
	"time"

	"mesh-conformance/kindconfig"
)

// Schema is the version of results.json that this package writes and reads. A field that is only added leaves it as
// it is: this package reads an older file with the field empty, and an older program rejects a newer file, because
// Load accepts no unknown field. The specs of version 1 had ids that were made of their sentences.
const Schema = 2

// textIDs is the last version of results.json whose specs had ids that were made of their sentences.
const textIDs = 1

// State is how a spec, or a row of specs, came out.
type State string

// The states. Only StatePassed is a pass.
const (
	StatePassed State = "passed"
	StateFailed State = "failed"
	// StateFlaky is a spec that passed only when tried again; it fails the run.
	StateFlaky State = "flaky"
	// StateUndecided is a spec whose wait ran out while the machine was starved, or while the suite's own connection
	// to the cluster was lost. It is neither red nor green.
	StateUndecided State = "undecided"
	// StateKnownDefect is a spec that failed as the list of the subject's known defects says.
	StateKnownDefect State = "known-defect"
	// StateExempt is a spec that the cell cannot show: its proxy, Kubernetes or the subject's release lacks what it needs.
	StateExempt State = "exempt"
	StateNotRun State = "not-run"
)

// states lists them in the order of the reports: what needs a reader first.
var states = []State{StateFailed, StateFlaky, StateUndecided, StateKnownDefect, StateExempt, StateNotRun, StatePassed}

// Doubt says why a spec is undecided.
type Doubt string

// The doubts, in the order of the verdict's sentence.
const (
	// DoubtStarved is a wait that ran out while the machine was starved.
	DoubtStarved Doubt = "starved"
	// DoubtConnection is a failure of the suite's own connection to the API server or to the container engine.
	DoubtConnection Doubt = "connection"
	// DoubtRestart is a failure after a part of the Kubernetes control plane had restarted in the spec's cluster.
	DoubtRestart Doubt = "restart"
)

var doubts = []Doubt{DoubtStarved, DoubtConnection, DoubtRestart}

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
	Schema int  `json:"schema"`
	Run    Run  `json:"run"`
	Cell   Cell `json:"cell"`
	// Subject is the build under test, with what repeats its run; nil in results of before it was recorded.
	Subject *kindconfig.Subject `json:"build,omitempty"`
	// Installation is nil in results of before it was recorded.
	Installation *Installation `json:"installation,omitempty"`
	Images       []Image       `json:"images"`
	// ProxyExtensions are the names of the extensions that the subject's Envoy has, by its own list, sorted; nil where
	// they were not read.
	ProxyExtensions []string `json:"proxyExtensions,omitempty"`
	// Rows are all promises of the catalogue, in its order, those without specs included.
	Rows   []Row  `json:"rows"`
	Specs  []Spec `json:"specs"`
	Totals Totals `json:"totals"`
	// Engine describes the container engine, for example "docker 28.0.1".
	Engine string `json:"engine"`
	// Problems are faults of the run itself, one line each: a known defect that passed, an
	// exemption that names no spec, a cluster that did not come up. Any of them fails the run.
	Problems []string `json:"problems,omitempty"`
	// Causes are events outside of the build that left specs undecided, one line each with their number. None fails
	// the run.
	Causes []string `json:"causes,omitempty"`
	// SelfCheck is set for a run that was the negative control. The run's verdict is then that of the check.
	SelfCheck *SelfCheck `json:"selfCheck,omitempty"`
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
	// Machine is nil where nothing was measured.
	Machine *Machine `json:"machine,omitempty"`
}

// Machine sums up what the driver measured of the machine during a run.
type Machine struct {
	// Late is the mean lateness of a ticker in milliseconds, Worst the largest.
	Late  float64 `json:"late"`
	Worst float64 `json:"worst"`
	// Runnable is the mean number of threads per core that ran or waited for a core.
	Runnable float64 `json:"runnable"`
	// Narrowest and Widest bound how many Ginkgo processes the driver let run specs at once; 0 where that was not
	// recorded.
	Narrowest int `json:"narrowest"`
	Widest    int `json:"widest"`
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
	// PinnedDigest is the digest that is pinned for the reference and that the digests of a mirror replaced.
	PinnedDigest string `json:"pinnedDigest,omitempty"`
	// Mirror is the reference that the image was read from, where that is a mirror's.
	Mirror string `json:"mirror,omitempty"`
	Source Source `json:"source"`
	Role   Role   `json:"role"`
}

// Provenance says in words where the image comes from, for example "published, read from m.example/istio/pilot:1.20.0
// instead of the pinned sha256:…".
func (i Image) Provenance() string {
	words := string(i.Source)
	if i.Mirror != "" {
		words += ", read from " + i.Mirror
	}
	if i.PinnedDigest != "" {
		words += " instead of the pinned " + i.PinnedDigest
	}
	return words
}

// Row is one promise of the release; its state follows from its specs.
type Row struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	State State  `json:"state"`
}

// Spec is the outcome of one spec.
type Spec struct {
	// ID is the row's id with dots for slashes, a dot and a short name that stays when Name changes, for example
	// mirroring.shares-sidecar. In rows below gatewayapi/ the short name is the upstream test's ShortName.
	ID    string `json:"id"`
	Row   string `json:"row"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Since and Until are the first release of Istio that makes the spec's promise and the first one that does not any
	// more; empty where there is none.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// Level is the strongest evidence the spec reaches; empty where it gathered none.
	Level    Level      `json:"level,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Seconds  float64    `json:"seconds"`
	// Start is in seconds since the run's start.
	Start float64 `json:"start"`
	// Process is the Ginkgo process that ran the spec, counted from 1.
	Process  int `json:"process"`
	Attempts int `json:"attempts"`
	// Waited is for how many seconds the spec waited for the driver's gate before Start. Seconds does not count them.
	Waited float64 `json:"waited,omitempty"`
	// Lag is what the driver measured of the machine while the spec ran; nil where nothing was measured.
	Lag *Lag `json:"lag,omitempty"`
	// Doubt says why the spec is undecided; empty in every other state.
	Doubt Doubt `json:"doubt,omitempty"`
	// Reason and Link explain a known defect, an exemption, an undecided spec or one that did not run.
	Reason string `json:"reason,omitempty"`
	Link   string `json:"link,omitempty"`
	// List is the vendor's own list that Reason and Link are from, as the user named its file; empty for the lists of
	// the suite.
	List string `json:"list,omitempty"`
	// Defect is the entry of a list of known defects that explains the outcome; nil where none does.
	Defect *Defect `json:"defect,omitempty"`
	// Diagnostics is a folder below the run's directory.
	Diagnostics string `json:"diagnostics,omitempty"`
	Failure     string `json:"failure,omitempty"`
	Location    string `json:"location,omitempty"`
	// Replay are the commands that repeat the spec by hand.
	Replay []string `json:"replay,omitempty"`
}

// Repaired says how a spec that passed was repaired; empty for every other spec.
func (s Spec) Repaired() Repair {
	if s.Defect == nil || s.State != StatePassed {
		return ""
	}
	return s.Defect.Repaired
}

// Defect is an entry of a list of known defects.
type Defect struct {
	// Affected are the releases that have the defect, Fixed those that repaired it, separated by commas; Fixed is empty
	// where unknown.
	Affected string `json:"affected"`
	Fixed    string `json:"fixed,omitempty"`
	// Severity is what a user loses: traffic, security, observability or tooling.
	Severity string `json:"severity"`
	// Repaired is set for a spec that passed.
	Repaired Repair `json:"repaired,omitempty"`
	// Release is the one of Fixed that repaired the build, Last the last release known to have the defect. Both belong
	// to RepairedSince; either may be empty.
	Release string `json:"release,omitempty"`
	Last    string `json:"last,omitempty"`
}

// Repair says how a known defect came to pass.
type Repair string

// The repairs.
const (
	// RepairedHere is a defect of the releases that the build is made from, which the build itself repairs: a source
	// tree or private images.
	RepairedHere Repair = "here"
	// RepairedSince is a defect of older releases.
	RepairedSince Repair = "since"
)

// Lag is what a spec had to wait for its machine.
type Lag struct {
	// Late is the mean lateness of a ticker in milliseconds, Worst the largest.
	Late  float64 `json:"late"`
	Worst float64 `json:"worst"`
	// Runnable is the mean number of threads per core that ran or waited for a core.
	Runnable float64 `json:"runnable"`
	// Subject is the share, from 0 to 1, of the used processor time that the build under test used; Busiest names its
	// busiest program.
	Subject float64 `json:"subject"`
	Busiest string  `json:"busiest,omitempty"`
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
	Undecided   int `json:"undecided"`
	KnownDefect int `json:"knownDefect"`
	Exempt      int `json:"exempt"`
	NotRun      int `json:"notRun"`
	Total       int `json:"total"`
	// Repaired counts the passed specs that are RepairedHere.
	Repaired int `json:"repaired,omitempty"`
}

// Ran counts the specs that ran, the undecided ones included.
func (t Totals) Ran() int { return t.Decided() + t.Undecided }

// Decided counts the specs that came to an outcome.
func (t Totals) Decided() int { return t.Passed + t.Failed + t.Flaky + t.KnownDefect }

// Of gives the count of one state.
func (t Totals) Of(state State) int {
	switch state {
	case StatePassed:
		return t.Passed
	case StateFailed:
		return t.Failed
	case StateFlaky:
		return t.Flaky
	case StateUndecided:
		return t.Undecided
	case StateKnownDefect:
		return t.KnownDefect
	case StateExempt:
		return t.Exempt
	case StateNotRun:
		return t.NotRun
	}
	return 0
}
