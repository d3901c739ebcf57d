package results

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/machine"
	"mesh-conformance/reports"
	"mesh-conformance/suites/internal/catalogue"
)

// measuredOver makes one sample for each second of a stretch, counted in seconds from begun.
func measuredOver(from, to int, runnable, subject float64) []machine.Sample {
	var samples []machine.Sample
	for at := from + 1; at <= to; at++ {
		samples = append(samples, machine.Sample{At: begun.Add(time.Duration(at) * time.Second), Seconds: 1,
			Runnable: runnable, Used: 2,
			Subject: subject, Busiest: "pilot-discovery", Width: 2})
	}
	return samples
}

// failedAfter is a spec that ran from begun on and failed with a message after some seconds.
func failedAfter(seconds int, message string) types.SpecReport {
	spec := it("copies the share", types.SpecStateFailed, catalogue.Mirroring)
	spec.StartTime, spec.RunTime = begun, time.Duration(seconds+5)*time.Second
	spec.EndTime = begun.Add(spec.RunTime)
	spec.Failure = types.Failure{Message: message,
		TimelineLocation: types.TimelineLocation{Time: begun.Add(time.Duration(seconds) * time.Second)}}
	return spec
}

func TestRanOutOfTime(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"Timed out after 30.001s.\nExpected\n    <int>: 3\nto equal\n    <int>: 4", 30001 * time.Millisecond},
		{"services \"web\" not found (timed out after 120.000s)\n\nTimed out after 120.000s.", 2 * time.Minute},
		{"A node timeout occurred", 0},
		{"A spec timeout occurred", 0},
		{"\"istioctl install\" did not end within 2m0s, and said by then: - Processing resources", 2 * time.Minute},
		{"the sidecar of server is not ready within 160 s: istio-proxy is waiting", 160 * time.Second},
		{"get pods: context deadline exceeded", 0},
		{"rpc error: code = DeadlineExceeded desc = stream ended", 0},
		{"dial tcp 10.244.0.7:15012: i/o timeout", 0},
		{"Error: timed out waiting for the condition", 0},
		{"request set timed out after 10s and only 0/1 requests completed", 10 * time.Second},
		{"Received unexpected error:; error waiting for HTTPRoute to have parents matching expectations", 0},
		{"expectation failed for request: {GET} not ready yet: expected 200, got 404 (after 59.8s)",
			59800 * time.Millisecond},
		{`failed calling webhook "validation.istio.io": Post "https://istiod:443/validate": context deadline exceeded`, 0},
	} {
		if got, is := ranOutOfTime(types.SpecStateFailed, c.text); !is || got != c.want {
			t.Errorf("%q: ran out of time: %t, after %s; want after %s", c.text, is, got, c.want)
		}
	}
	if _, is := ranOutOfTime(types.SpecStateTimedout, ""); !is {
		t.Error("a node that Ginkgo ended for its time did not run out of time")
	}
	for _, text := range []string{
		"Expected\n    <int>: 3\nto equal\n    <int>: 4",
		"Failed after 0.251s.\nExpected no request to arrive",
		"Told to stop trying after 2.000s.\nnamespaces \"x\" not found",
		"17/40 requests had errors; first error: connection reset by peer",
		"there is not one proxy within 3 sidecars of the release",
		"failed calling webhook \"validation.istio.io\": dial tcp 10.96.4.2:443: connect: connection refused",
	} {
		if _, is := ranOutOfTime(types.SpecStateFailed, text); is {
			t.Errorf("%q ran out of time", text)
		}
	}
}

// refused and reset are what Go says of a connection to the API server.
const (
	refused = "dial tcp 127.0.0.1:40443: connect: connection refused"
	reset   = "read tcp 127.0.0.1:5->127.0.0.1:40443: read: connection reset by peer"
)

func TestLostConnection(t *testing.T) {
	for to, texts := range map[string][]string{
		"the API server": {
			`Get "https://127.0.0.1:40443/api/v1/namespaces/a/pods/web": http2: client connection lost`,
			"Unexpected error:\n    <*url.Error | 0xc000>: \n" +
				"    Get \"https://127.0.0.1:40443/apis/apps/v1/deployments\": " + reset + "\n    {Op: \"Get\"}",
			`Post "https://172.18.0.3:6443/api/v1/namespaces/a/pods/web/portforward": ` + refused,
			`Error: error getting Kubernetes version: Get "https://127.0.0.1:40443/version?timeout=32s": ` +
				"net/http: TLS handshake timeout",
			`failed to get API group resources: Get "https://127.0.0.1:40443/api?timeout=32s": unexpected EOF`,
			`Patch \"https://127.0.0.1:40443/apis/networking.istio.io/v1beta1/namespaces/a/sidecars/b?force=true\": EOF`,
			"create namespace mirroring-x: etcdserver: request timed out",
			"etcdserver: leader changed",
			"etcdserver: too many requests",
			"the server was unable to return a response in the time allotted, but may still be processing the request",
			"unable to upgrade connection: error dialing backend: dial tcp 172.18.0.2:10250: connect: connection refused",
			"The connection to the server 127.0.0.1:40443 was refused - did you specify the right host or port?",
			"Unable to connect to the server: net/http: TLS handshake timeout",
		},
		"the container engine": {
			"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
			`error during connect: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/containers/json": EOF`,
		},
	} {
		for _, text := range texts {
			want := "the suite lost its connection to " + to + ": "
			if reason, is := lostConnection(text); !is || !strings.HasPrefix(reason, want) || strings.Contains(reason, "\n") {
				t.Errorf("%q: lost: %t, %q; want %q", text, is, reason, want)
			}
		}
	}
	const webhook = `Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: `
	for _, text := range []string{
		"1/1 requests had errors; first error: read tcp 10.244.0.5:1->10.96.7.7:9090: read: connection reset by peer",
		"40 sent: 14 × 503 without a body, 26 × 200 from server",
		"1/1 requests had errors; first error: rpc error: http2: client connection lost",
		`Get "https://b.example.com:443/api/v1/orders": read: connection reset by peer`,
		webhook + `Post "https://istiod.istio-system.svc:443/validate?timeout=10s": dial tcp: connect: connection refused`,
		webhook + `Post "https://istiod.istio-system.svc:443/inject?timeout=10s": EOF`,
		`istiod logs: failed to list *v1.Pod: Get "https://10.96.0.1:443/api/v1/pods": dial tcp: connection refused`,
		`GET a/web:15000/config_dump: Get "http://web.a:15000/config_dump": EOF`,
		"error forwarding port 15014 to pod: connect: connection refused",
		`Get "https://127.0.0.1:40443/api/v1/namespaces/a/pods/web": context deadline exceeded`,
		"services \"web\" not found",
		"Unable to connect to the server: x509: certificate signed by unknown authority",
	} {
		if reason, is := lostConnection(text); is {
			t.Errorf("%q: %q", text, reason)
		}
	}
}

func TestJudgeFailure(t *testing.T) {
	const (
		timeOut = "no mirror log (timed out after 30.001s)\n\nTimed out after 30.001s.\nno mirror log"
		lost    = `Get "https://127.0.0.1:40443/api/v1/nodes": http2: client connection lost`
		webhook = `failed calling webhook "validation.istio.io": Post "https://istiod:443/validate?timeout=10s": `
		restart = "kube-apiserver restarted at 12:03:04 (exit code 137)"
	)
	// hack/machine has the words, and the bounds, of a starved machine.
	why, _ := machine.Between(measuredOver(0, 60, 145, 0.2), begun, begun.Add(time.Minute)).Starved()
	quiet, starved, greedy := measuredOver(0, 60, 3, 0.2), measuredOver(0, 60, 145, 0.2), measuredOver(0, 60, 145, 0.9)
	// Starved until the wait that ran out began, and after it had ended.
	before := append(measuredOver(0, 20, 145, 0.2), measuredOver(20, 60, 3, 0.2)...)
	later := append(measuredOver(0, 50, 3, 0.2), measuredOver(50, 60, 145, 0.2)...)
	panicked, ended := failedAfter(50, timeOut), failedAfter(50, "A node timeout occurred")
	panicked.State, ended.State = types.SpecStatePanicked, types.SpecStateTimedout
	cases := map[string]struct {
		spec     types.SpecReport
		samples  []machine.Sample
		restarts []string
		known    bool
		want     Finding
	}{
		"a wait on a quiet machine": {failedAfter(50, timeOut), quiet, nil, false,
			Finding{State: reports.StateFailed}},
		"a wait that nothing was measured during": {failedAfter(50, timeOut), nil, nil, false,
			Finding{State: reports.StateFailed}},
		"a wait on a starved machine": {failedAfter(50, timeOut), starved, nil, false, Finding{reports.StateUndecided,
			reports.DoubtStarved,
			"time ran out after 30s while the machine was starved: " + why}},
		"a wait after the starved stretch": {failedAfter(50, timeOut), before, nil, false,
			Finding{State: reports.StateFailed}},
		"a wait before the starved stretch": {failedAfter(50, timeOut), later, nil, false,
			Finding{State: reports.StateFailed}},
		"a node's time on a starved machine": {ended, starved, nil, false, Finding{reports.StateUndecided,
			reports.DoubtStarved,
			"time ran out while the machine was starved: " + why}},
		"no wait, on a starved machine": {failedAfter(50, "Expected\n    <int>: 3\nto equal\n    <int>: 4"), starved, nil,
			false, Finding{State: reports.StateFailed}},
		"lost requests, on a starved machine": {failedAfter(50,
			"17/40 requests had errors; first error: read: connection reset by peer"), starved, nil, false,
			Finding{State: reports.StateFailed}},
		"a wait while the build starves the machine": {failedAfter(50, timeOut), greedy, nil, false,
			Finding{State: reports.StateFailed,
				Reason: "the build under test starved the machine: processes of the build under test used 90 % of the processor " +
					"time that the clusters used, " +
					"most of it pilot-discovery, and " + why}},
		"a greedy build on a machine that is not starved": {failedAfter(50, timeOut), measuredOver(0, 60, 3, 0.9), nil,
			false, Finding{State: reports.StateFailed,
				Reason: "the build under test starved the machine: processes of the build under test used 90 % of the processor " +
					"time that the clusters used, most of it pilot-discovery"}},
		"a lost connection on a quiet machine": {failedAfter(50, lost), quiet, nil, false,
			Finding{reports.StateUndecided, reports.DoubtConnection,
				"the suite lost its connection to the API server: " + lost}},
		"a lost connection with nothing measured": {failedAfter(50, lost), nil, nil, false,
			Finding{reports.StateUndecided, reports.DoubtConnection,
				"the suite lost its connection to the API server: " + lost}},
		"a webhook that refuses the connection": {failedAfter(50,
			webhook+"dial tcp 10.96.4.2:443: connect: connection refused"), starved, nil, false,
			Finding{State: reports.StateFailed}},
		"a webhook that times out on a quiet machine": {failedAfter(50, webhook+"context deadline exceeded"), quiet, nil,
			false, Finding{State: reports.StateFailed}},
		"a webhook that times out on a starved machine": {failedAfter(50, webhook+"context deadline exceeded"), starved,
			nil, false,
			Finding{reports.StateUndecided, reports.DoubtStarved,
				"time ran out while the machine was starved: " + why}},
		"a wait that ran out, and then no API server": {with(failedAfter(50, "Timed out after 30.000s."), EntryLost,
			"the API server of cluster a did not respond"), quiet, nil, false, Finding{reports.StateUndecided, reports.DoubtConnection,
			"the suite lost its connection to the API server: the API server of cluster a did not respond"}},
		"a wrong answer, and then no API server": {with(failedAfter(50, "got 3"), EntryLost,
			"the API server of cluster a did not respond"), quiet, nil, false, Finding{State: reports.StateFailed}},
		"a wrong answer after a restart": {failedAfter(50, "got 3"), quiet, []string{restart}, false,
			Finding{State: reports.StateFailed, Reason: restart + ", before the spec failed"}},
		"a wait that ran out after a restart": {failedAfter(50, "Timed out after 30.000s."), quiet, []string{restart,
			"etcd restarted at 12:03:01 (exit code 1)"}, false,
			Finding{reports.StateUndecided, reports.DoubtRestart,
				restart + "; etcd restarted at 12:03:01 (exit code 1), before the spec failed"}},
		"a restart by a build that starves the machine": {failedAfter(50, "got 3"), greedy, []string{restart}, false,
			Finding{State: reports.StateFailed,
				Reason: "the build under test starved the machine: processes of the build under test used 90 % of the processor " +
					"time that the clusters used, " +
					"most of it pilot-discovery, and " + why}},
		"a known defect": {failedAfter(50, timeOut), quiet, nil, true,
			Finding{State: reports.StateKnownDefect}},
		"a known defect after a restart": {failedAfter(50, "got 3"), quiet, []string{restart}, true,
			Finding{State: reports.StateKnownDefect}},
		"a known defect's message, while starved": {failedAfter(50, "got 3"), starved, nil, true,
			Finding{State: reports.StateKnownDefect}},
		"a known defect's wait, while starved": {failedAfter(50, timeOut), starved, nil, true,
			Finding{State: reports.StateKnownDefect}},
		"a panic on a starved machine after a restart": {panicked, starved, []string{restart}, false,
			Finding{State: reports.StateFailed}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := JudgeFailure(c.spec, c.samples, c.restarts, c.known); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestStretchOf: the wait for the gate is no part of the spec, and a wait cannot have begun before the spec.
func TestStretchOf(t *testing.T) {
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	gated := failedAfter(50, "x")
	gated.ReportEntries = types.ReportEntries{{Name: EntryWaited, Value: types.WrapEntryValue("30")}}
	untimed := failedAfter(50, "x")
	untimed.Failure.TimelineLocation = types.TimelineLocation{}
	for name, c := range map[string]struct {
		spec     types.SpecReport
		waited   time.Duration
		from, to time.Time
	}{
		"a wait of known length":              {failedAfter(50, "x"), 30 * time.Second, at(20), at(50)},
		"a wait of unknown length":            {failedAfter(50, "x"), 0, at(0), at(50)},
		"a wait longer than the spec":         {failedAfter(50, "x"), time.Hour, at(0), at(50)},
		"a spec that waited for the gate":     {gated, 0, at(30), at(50)},
		"a failure whose moment is not known": {untimed, 0, at(0), at(55)},
	} {
		if from, to := stretchOf(c.spec, c.waited); !from.Equal(c.from) || !to.Equal(c.to) {
			t.Errorf("%s: from %s to %s, want from %s to %s", name, from, to, c.from, c.to)
		}
	}
}

func TestGreedyBuild(t *testing.T) {
	holding := func(samples []machine.Sample, processes int) []machine.Sample {
		for i := range samples {
			samples[i].Holding = processes
		}
		return samples
	}
	for name, c := range map[string]struct {
		samples []machine.Sample
		want    string
	}{
		"nothing measured":          {nil, ""},
		"a quarter":                 {holding(measuredOver(0, 100, 5, 0.25), 2), ""},
		"most":                      {holding(measuredOver(0, 100, 5, 0.8), 2), "over the whole run, processes of the build under test used 80 %"},
		"most, while no specs ran":  {holding(measuredOver(0, 100, 5, 0.8), 0), ""},
		"most, for too short a run": {holding(measuredOver(0, 50, 5, 0.8), 2), ""},
	} {
		how, is := greedyBuild(c.samples)
		if is != (c.want != "") || is && !strings.HasPrefix(how, c.want) {
			t.Errorf("%s: %t, %q; want %q", name, is, how, c.want)
		}
	}
}

func TestJudgeError(t *testing.T) {
	quiet, starved, greedy := measuredOver(0, 60, 3, 0.2), measuredOver(0, 60, 145, 0.2), measuredOver(0, 60, 145, 0.9)
	const late = "istioctl install of control plane stock did not end within 30s"
	const blamed = "the build under test starved the machine: processes of the build under test used 90 %"
	for name, c := range map[string]struct {
		text    string
		samples []machine.Sample
		state   reports.State
		want    string
	}{
		"a wait on a quiet machine": {late, quiet, reports.StateFailed, ""},
		"a wait on a starved machine": {late, starved, reports.StateUndecided,
			"time ran out after 30s while the machine was starved: "},
		"a wait that the build under test delayed": {late, greedy, reports.StateFailed, blamed},
		"a wait for a pod that gets no processor":  {late, measuredOver(0, 60, 3, 0.9), reports.StateFailed, blamed},
		"an error of the product":                  {"istiod does not start: bad flag", starved, reports.StateFailed, ""},
		"a lost connection": {`Get "https://127.0.0.1:40443/api?timeout=32s": unexpected EOF`, quiet,
			reports.StateUndecided, "the suite lost its connection to the API server: "},
		"nothing measured": {late, nil, reports.StateFailed, ""},
	} {
		got := JudgeError(c.text, c.samples, begun, begun.Add(time.Minute))
		if got.State != c.state || (got.Reason != "") != (c.want != "") || !strings.HasPrefix(got.Reason, c.want) {
			t.Errorf("%s: %+v; want %s, %q", name, got, c.state, c.want)
		}
	}
}
