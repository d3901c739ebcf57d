package echo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/kube"
)

// pod is a cluster of one pod whose commands end as they are told to.
type pod struct {
	command        []string
	stdout, stderr string
	err            error
}

func (p *pod) Exec(_ context.Context, namespace, name, container string, command ...string) (string, string, error) {
	if namespace != "ns" || name != "client-1" || container != Container {
		return "", "", errors.New("another container")
	}
	p.command = command
	return p.stdout, p.stderr, p.err
}

func (p *pod) ServiceAddress(_ context.Context, namespace, name string) (string, error) {
	if namespace == "far" && name == "server" {
		return "10.96.1.2", nil
	}
	return "", nil
}

func client(p *pod) *Workload {
	return &Workload{
		Namespace: "ns", Name: "client", cluster: p,
		Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "client-1"}},
	}
}

func TestSendGivesTheAnswers(t *testing.T) {
	p := &pod{stdout: twoAnswers}
	answers, err := client(p).Send(t.Context(), "http://server/", 2)
	if err != nil || answers.Sent != 2 || len(answers.All) != 2 || answers.Failure != "" {
		t.Errorf("got %+v, %v", answers, err)
	}
	want := []string{"/usr/local/bin/client", "--count=2", "--timeout=10s", "http://server/"}
	if !slices.Equal(p.command, want) {
		t.Errorf("ran %q", p.command)
	}
}

// The far side may end a TCP connection before it resets it.
func TestSendTakesInAFailureOfSeveralLines(t *testing.T) {
	said := "2026-11-23T17:35:50.775669Z\tfatal\tError 2/2 requests had errors; first error: expect to recv message with StatusCode=200, got [8] Url=tcp://server:9093\n" +
		". Return EOF\n\n2026-11-23T17:35:51.775669Z\tinfo\tanother\n"
	answers, err := client(&pod{stdout: said, err: &kube.ExecError{Code: 1}}).Send(t.Context(), "tcp://server:9093", 2)
	want := "2/2 requests had errors; first error: expect to recv message with StatusCode=200, got [8] Url=tcp://server:9093 . Return EOF"
	if err != nil || answers.Failure != want || answers.Failed != 2 {
		t.Errorf("got %+v, %v", answers, err)
	}
}

func TestSendAsksNoDNSForAService(t *testing.T) {
	const host = "server.far.svc.cluster.local"
	for url, want := range map[string][]string{
		"http://" + host + "/path?a=%20b": {"--header=Host: " + host, "http://10.96.1.2/path?a=%20b"},
		"http://" + host + ":81/":         {"http://" + host + ":81/"},
		"tcp://" + host + ":9090":         {"tcp://10.96.1.2:9090"},
		// By these names more than the address is chosen, or there is no address.
		"https://" + host + "/":                 {"https://" + host + "/"},
		"grpc://" + host + ":7070":              {"grpc://" + host + ":7070"},
		"http://server.far/":                    {"http://server.far/"},
		"http://other.far.svc.cluster.local/":   {"http://other.far.svc.cluster.local/"},
		"http://a.server.far.svc.cluster.local": {"http://a.server.far.svc.cluster.local"},
		"http://10.0.0.1:8080/":                 {"http://10.0.0.1:8080/"},
	} {
		p := &pod{stdout: twoAnswers}
		if _, err := client(p).Send(t.Context(), url, 2); err != nil || !slices.Equal(p.command[3:], want) {
			t.Errorf("%s: ran %q, %v", url, p.command, err)
		}
	}
	p := &pod{stdout: twoAnswers}
	if _, err := client(p).Send(t.Context(), "http://"+host+"/", 2, Header("Host", "alias")); err != nil ||
		!slices.Equal(p.command[3:], []string{"--header=Host: alias", "http://10.96.1.2/"}) {
		t.Errorf("with an authority of its own: ran %q, %v", p.command, err)
	}
}

func TestSendGivesLargeSetsMoreTimeAndMissesAnswers(t *testing.T) {
	p := &pod{stdout: twoAnswers}
	if answers, err := client(p).Send(t.Context(), "http://server/", 1000); err == nil {
		t.Errorf("two of a thousand answers passed for all: %+v", answers)
	}
	if !slices.Contains(p.command, "--timeout=8m30s") {
		t.Errorf("ran %q", p.command)
	}
}

func TestSendTellsRefusalFromTrouble(t *testing.T) {
	refused := "2026-11-23T17:35:50.775669Z\tfatal\tError 2/2 requests had errors; first error: Get \"http:/\": EOF\n\n"
	p := &pod{stdout: refused, err: &kube.ExecError{Code: 1}}
	answers, err := client(p).Send(t.Context(), "http://server/", 2)
	if err != nil || answers.Sent != 2 || answers.Failed != 2 || len(answers.All) != 0 {
		t.Errorf("got %+v, %v", answers, err)
	}
	if want := `2/2 requests had errors; first error: Get "http:/": EOF`; answers.Failure != want {
		t.Errorf("got  %q\nwant %q", answers.Failure, want)
	}
	for name, p := range map[string]*pod{
		"the client did not start":   {stderr: "no such file", err: &kube.ExecError{Code: 126, Stderr: "no such file"}},
		"the client's own complaint": {stdout: "2026-11-23T17:35:50Z\tfatal\tinvalid header format\n", err: &kube.ExecError{Code: 1}},
		"the connection broke":       {stdout: refused, err: errors.New("websocket closed")},
		"the output is cut off":      {stdout: "[0] Url=http://server/\n"},
	} {
		if answers, err := client(p).Send(t.Context(), "http://server/", 2); err == nil {
			t.Errorf("%s: got %+v", name, answers)
		}
	}
}

func TestFailedCountsAsTheClientDoes(t *testing.T) {
	for failure, want := range map[string]int{
		"3/20 requests had errors; first error: EOF":                                  3,
		"request set timed out after 10s and only 4/20 requests completed (1.2s avg)": 20,
	} {
		if got := failed(failure, 20); got != want {
			t.Errorf("%q: %d failed, want %d", failure, got, want)
		}
	}
}

func TestNamesInTheMesh(t *testing.T) {
	w := client(nil)
	if got := w.URL("/a"); got != "http://client.ns.svc.cluster.local/a" {
		t.Errorf("URL %q", got)
	}
	if got := w.SPIFFE(); !strings.HasSuffix(got, "/ns/ns/sa/client") {
		t.Errorf("SPIFFE %q", got)
	}
}

func TestOptionsBecomeFlagsOfTheClient(t *testing.T) {
	p := &pod{stdout: twoAnswers}
	if _, err := client(p).Send(t.Context(), "http://server/", 2, Header("x-a", "b"), Method("POST"), Flag("--http2")); err != nil {
		t.Fatal(err)
	}
	want := []string{"--header=x-a: b", "--method=POST", "--http2", "http://server/"}
	if got := p.command[len(p.command)-len(want):]; !slices.Equal(got, want) {
		t.Errorf("ran %q", p.command)
	}
}
