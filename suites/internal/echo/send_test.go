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
