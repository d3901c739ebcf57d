package results

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/machine"
	"mesh-conformance/reports"
)

// Finding is what a failure of a spec says about the product.
type Finding struct {
	// State is StateFailed, StateUndecided or StateKnownDefect.
	State reports.State
	// Doubt and Reason explain StateUndecided. With StateFailed, Reason is a headline that belongs before the
	// failure's own text, and is empty where the text says everything.
	Doubt  reports.Doubt
	Reason string
}

// JudgeFailure tells a failure of the product from one of the machine or of the suite's own connections. spec has
// failed; samples are what the driver measured of the machine; restarts are the restarts of the Kubernetes control
// plane in the spec's cluster before the failure, one line each; known says that the spec fails as the list of known
// defects says.
//
// A panic of the suite is always a failure. A lost connection excuses no known defect. A wait that ran out on a starved
// machine is a known defect where what was seen last is the known message: on that build it is what comes of waiting
// longer, and a spec that never passes would be undecided in most runs on a busy machine.
func JudgeFailure(spec types.SpecReport, samples []machine.Sample, restarts []string, known bool) Finding {
	if spec.State == types.SpecStatePanicked {
		return Finding{State: reports.StateFailed}
	}
	text := failureText(spec)
	waited, ranOut := ranOutOfTime(spec.State, text)
	lost, isLost := lostConnection(text)
	if said, found := foundLost(spec); found && !isLost && ranOut {
		lost, isLost = "the suite lost its connection to the API server: "+said, true
	}
	from, to := stretchOf(spec, waited)
	lag := machine.Between(samples, from, to)
	why, starved := lag.Starved()
	how, bySubject := lag.BySubject()
	switch {
	case bySubject && (starved || !known) && (ranOut || isLost || len(restarts) > 0 && !known):
		return Finding{State: reports.StateFailed, Reason: blame(how, why)}
	case isLost:
		return Finding{State: reports.StateUndecided, Doubt: reports.DoubtConnection, Reason: lost}
	case known:
		return Finding{State: reports.StateKnownDefect}
	case ranOut && starved:
		return Finding{State: reports.StateUndecided, Doubt: reports.DoubtStarved,
			Reason: "time ran out" + after(waited) + " while the machine was starved: " + why}
	case len(restarts) > 0 && ranOut:
		return Finding{State: reports.StateUndecided, Doubt: reports.DoubtRestart,
			Reason: strings.Join(restarts, "; ") + ", before the spec failed"}
	case len(restarts) > 0:
		// A wrong answer stays a failure; a reader wants to know of the restart.
		return Finding{State: reports.StateFailed, Reason: strings.Join(restarts, "; ") + ", before the spec failed"}
	}
	return Finding{State: reports.StateFailed}
}

// JudgeError is JudgeFailure for an error outside of specs, such as one of provisioning, that came at a moment. A
// Finding with StateFailed and without a Reason says that the error speaks for itself.
func JudgeError(text string, samples []machine.Sample, begun, came time.Time) Finding {
	return JudgeFailure(types.SpecReport{
		State: types.SpecStateFailed, StartTime: begun, EndTime: came, Failure: types.Failure{Message: text},
	}, samples, nil, false)
}

// blame is the headline of a failure for which the build under test left no processor. why is empty where the machine
// as a whole was not starved: a pod that asks for no processor time gets none beside a program that takes all there is.
func blame(how, why string) string {
	if why != "" {
		how += ", and " + why
	}
	return "the build under test starved the machine: " + how
}

// failureText is all that Ginkgo recorded of the first failure: a node that was ended by a timeout may have said more
// before it left.
func failureText(spec types.SpecReport) string {
	text := spec.Failure.Message
	if more := spec.Failure.AdditionalFailure; more != nil {
		text += "\n" + more.Failure.Message
	}
	return text
}

func after(waited time.Duration) string {
	switch {
	case waited == 0:
		return ""
	case waited < time.Second:
		return " after " + waited.String()
	}
	return " after " + waited.Round(time.Second).String()
}

// stretchOf is the stretch of time that the failure depends on: the wait that ran out, as far as its length is known,
// otherwise the whole spec without its wait for the gate.
func stretchOf(spec types.SpecReport, waited time.Duration) (from, to time.Time) {
	from, to = spec.StartTime.Add(waitedForGate(spec)), spec.EndTime
	if to.IsZero() {
		to = spec.StartTime.Add(spec.RunTime)
	}
	if failed := spec.Failure.TimelineLocation.Time; !failed.IsZero() {
		to = failed
	}
	if begun := to.Add(-waited); waited > 0 && begun.After(from) {
		from = begun
	}
	return from, to
}

// outOfTime matches what says that a wait ran out, beside Ginkgo's own state: Gomega, Ginkgo, Go's contexts, network
// and Kubernetes' pollers, gRPC, the echo program, upstream's conformance tests and the suite itself.
var outOfTime = regexp.MustCompile(`(?i)timed out after|\bA (?:node|spec|suite) timeout occurred|deadline exceeded|` +
	`DeadlineExceeded|\bnot? (?:\S+ ){1,12}within ` + length + `|time ran out|ran out of time|i/o timeout|` +
	`TLS handshake timeout|timed out waiting for|request set timed out|Client\.Timeout exceeded|` +
	`timeout awaiting response headers|timeout while waiting|not ready yet: |\berror waiting for `)

// length matches a duration as Go prints it, and one such as "160 s".
const length = `(?:[0-9.]+ ?(?:h|ms|µs|s|m))+\b`

// timeSaid finds the length of a wait in words such as "timed out after 30.001s", "did not end within 2m0s" or "not
// ready yet: … (after 59.8s)".
var timeSaid = regexp.MustCompile(`(?i)(?:timed out after|ran out after|\bnot? (?:\S+ ){1,12}within|` +
	`not ready yet: .*\(after) (` + length + `)`)

// ranOutOfTime reports whether a failure is a wait that ran out, and after how long; 0 where the failure does not say
// it.
func ranOutOfTime(state types.SpecState, text string) (waited time.Duration, is bool) {
	if state != types.SpecStateTimedout && !outOfTime.MatchString(text) {
		return 0, false
	}
	// The wait that failed the spec contains shorter ones, whose ends it may quote.
	for _, said := range timeSaid.FindAllStringSubmatch(text, -1) {
		if length, err := time.ParseDuration(strings.ReplaceAll(said[1], " ", "")); err == nil {
			waited = max(waited, length)
		}
	}
	return waited, true
}

// apiServerOnly matches failures of the connection to the API server that are told in words of its own.
var apiServerOnly = regexp.MustCompile(`etcdserver: (?:request timed out|leader changed|too many requests)|error dialing backend|` +
	`the server was unable to return a response in the time allotted|http2: client connection lost|` +
	`The connection to the server \S+ was refused|Unable to connect to the server: .*(?:` + brokenConnection + `)`)

// brokenConnection matches failures of any connection. They are the suite's where the API server is named before them.
const brokenConnection = `TLS handshake timeout|connection refused|connection reset by peer|unexpected EOF|: EOF\b|` +
	`broken pipe|server sent GOAWAY|i/o timeout|no route to host`

// apiServerURL matches a request of client-go with its error; its group is the port.
var apiServerURL = regexp.MustCompile(`\b(?:Get|Post|Put|Patch|Delete|Head|Options) \\?"https://[^/"\s]+:([0-9]+)/` +
	`(?:api|apis|version|openapi|readyz|livez|healthz)\b[^"]*".*(?:` + brokenConnection + `)`)

// inCluster is the port at which pods reach the API server. The suite itself connects to another one, so that a
// request to this port is one of the product's, which its log or its status tells of.
const inCluster = "443"

var engineGone = regexp.MustCompile(`Cannot connect to the Docker daemon|error during connect: |` +
	`cannot create the kind cluster`)

// ofTheProduct are failures of the product, whatever connection they name: istiod serves the webhooks, and the data
// plane carries the requests of the echo program.
var ofTheProduct = regexp.MustCompile(`failed calling webhook|failed to call webhook|requests had errors|` +
	`request set timed out`)

// lostConnection reports whether a failure is one of the suite's own connection to the API server or to the container
// engine, and which, in words for a report.
func lostConnection(text string) (reason string, is bool) {
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if ofTheProduct.MatchString(line) {
			continue
		}
		to := ""
		if url := apiServerURL.FindStringSubmatch(line); url != nil && url[1] != inCluster ||
			apiServerOnly.MatchString(line) {
			to = "API server"
		} else if engineGone.MatchString(line) {
			to = "container engine"
		}
		if to != "" {
			return fmt.Sprintf("the suite lost its connection to the %s: %s", to, line), true
		}
	}
	return "", false
}
