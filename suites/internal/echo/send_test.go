package echo

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	protobuf "google.golang.org/protobuf/proto"
	"istio.io/istio/pkg/test/echo/proto"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is a cluster of one pod whose echo program answers as it is told to.
type pod struct {
	grpc.ClientConnInterface
	asked  *proto.ForwardEchoRequest
	output []string
	err    error
}

func (p *pod) SharedGRPC(namespace, name string, port int) (grpc.ClientConnInterface, error) {
	if namespace != "ns" || name != "client-1" || port != forwarderPort {
		return nil, errors.New("another port")
	}
	return p, nil
}

func (p *pod) Invoke(_ context.Context, method string, asked, answer any, _ ...grpc.CallOption) error {
	if method != proto.EchoTestService_ForwardEcho_FullMethodName {
		return errors.New("another method")
	}
	p.asked = asked.(*proto.ForwardEchoRequest)
	answer.(*proto.ForwardEchoResponse).Output = p.output
	return p.err
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

// both is how the echo program gives the answers of two requests: an element for each.
var both = strings.SplitAfter(twoAnswers, "\n")

func TestSendGivesTheAnswers(t *testing.T) {
	p := &pod{output: both}
	answers, err := client(p).Send(t.Context(), "http://server/", 2)
	if err != nil || answers.Sent != 2 || len(answers.All) != 2 || answers.Failure != "" {
		t.Errorf("got %+v, %v", answers, err)
	}
	want := &proto.ForwardEchoRequest{Url: "http://server/", Count: 2, TimeoutMicros: 10_000_000}
	if !protobuf.Equal(p.asked, want) {
		t.Errorf("asked for %v", p.asked)
	}
}

// The far side may end a TCP connection before it resets it.
func TestSendTakesInAFailureOfSeveralLines(t *testing.T) {
	said := "2/2 requests had errors; first error: expect to recv message with StatusCode=200, got [8] Url=tcp://server:9093\n. Return EOF\n"
	answers, err := client(&pod{err: status.Error(codes.Unknown, said)}).Send(t.Context(), "tcp://server:9093", 2)
	want := "2/2 requests had errors; first error: expect to recv message with StatusCode=200, got [8] Url=tcp://server:9093 . Return EOF"
	if err != nil || answers.Failure != want || answers.Failed != 2 {
		t.Errorf("got %+v, %v", answers, err)
	}
}

func TestSendAsksNoDNSForAService(t *testing.T) {
	const host = "server.far.svc.cluster.local"
	for url, want := range map[string]struct{ url, host string }{
		"http://" + host + "/path?a=%20b": {"http://10.96.1.2/path?a=%20b", host},
		"http://" + host + ":81/":         {"http://10.96.1.2:81/", host + ":81"},
		"tcp://" + host + ":9090":         {"tcp://10.96.1.2:9090", ""},
		// By these names more than the address is chosen, or there is no address.
		"https://" + host + "/":                 {"https://" + host + "/", ""},
		"grpc://" + host + ":7070":              {"grpc://" + host + ":7070", ""},
		"http://server.far/":                    {"http://server.far/", ""},
		"http://other.far.svc.cluster.local/":   {"http://other.far.svc.cluster.local/", ""},
		"http://a.server.far.svc.cluster.local": {"http://a.server.far.svc.cluster.local", ""},
		"http://10.0.0.1:8080/":                 {"http://10.0.0.1:8080/", ""},
	} {
		p := &pod{output: both}
		if _, err := client(p).Send(t.Context(), url, 2); err != nil || p.asked.Url != want.url || hosts(p.asked) != want.host {
			t.Errorf("%s: asked for %v, %v", url, p.asked, err)
		}
	}
	p := &pod{output: both}
	if _, err := client(p).Send(t.Context(), "http://"+host+"/", 2, Header("host", "alias")); err != nil ||
		p.asked.Url != "http://10.96.1.2/" || hosts(p.asked) != "alias" {
		t.Errorf("with an authority of its own: asked for %v, %v", p.asked, err)
	}
}

// hosts are the authorities of a request, of which there should be one at most.
func hosts(request *proto.ForwardEchoRequest) string {
	var all []string
	for _, header := range request.Headers {
		if strings.EqualFold(header.Key, "host") {
			all = append(all, header.Value)
		}
	}
	return strings.Join(all, ",")
}

func TestSendGivesLargeSetsMoreTimeAndMissesAnswers(t *testing.T) {
	p := &pod{output: both}
	if answers, err := client(p).Send(t.Context(), "http://server/", 1000); err == nil {
		t.Errorf("two of a thousand answers passed for all: %+v", answers)
	}
	if got := time.Duration(p.asked.TimeoutMicros) * time.Microsecond; got != 510*time.Second {
		t.Errorf("a thousand requests have %s", got)
	}
}

func TestSendTellsRefusalFromTrouble(t *testing.T) {
	for said, failed := range map[string]int{
		`1/2 requests had errors; first error: Get "http:/": EOF`:                    1,
		"request set timed out after 10s and only 1/2 requests completed (1.2s avg)": 2,
	} {
		answers, err := client(&pod{err: status.Error(codes.Unknown, said)}).Send(t.Context(), "http://server/", 2)
		if err != nil || answers.Sent != 2 || answers.Failed != failed || len(answers.All) != 0 || answers.Failure != said {
			t.Errorf("%s: got %+v, %v", said, answers, err)
		}
	}
	for name, p := range map[string]*pod{
		"the pod cannot be reached":   {err: status.Error(codes.Unavailable, "connection error")},
		"the program's own complaint": {err: status.Error(codes.Unknown, "failed to load client certificate: no such file")},
		"the spec's time is up":       {err: status.Error(codes.DeadlineExceeded, "2/2 requests had errors")},
		"an answer without a status":  {output: []string{"[0] Url=http://server/\n"}},
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

func TestHeadersAreInOneOrder(t *testing.T) {
	var flags []string
	for _, option := range Headers(http.Header{"X-B": {"1", "2"}, "X-A": {"3"}}, http.Header{"X-A": {"4"}}) {
		flags = append(flags, option.flags...)
	}
	if want := []string{"--header=X-A: 3", "--header=X-B: 1", "--header=X-B: 2", "--header=X-A: 4"}; !slices.Equal(flags, want) {
		t.Errorf("flags %q", flags)
	}
}

func TestOptionsAreOfTheRequestAndOfWhatRepeatsIt(t *testing.T) {
	p := &pod{output: both}
	options := []Option{Header("x-a", "b"), Method("POST"), HTTP2(), Message("hello"), Identity("/a.crt", "/a.key"), Unverified()}
	if _, err := client(p).Send(t.Context(), "http://server/", 2, options...); err != nil {
		t.Fatal(err)
	}
	want := &proto.ForwardEchoRequest{
		Url: "http://server/", Count: 2, TimeoutMicros: 10_000_000,
		Headers: []*proto.Header{{Key: "x-a", Value: "b"}}, Method: "POST", Http2: true, Message: "hello",
		CertFile: "/a.crt", KeyFile: "/a.key", InsecureSkipVerify: true,
	}
	if !protobuf.Equal(p.asked, want) {
		t.Errorf("asked for %v", p.asked)
	}
	command := []string{
		"/usr/local/bin/client", "--count=2", "--timeout=10s", "--header=x-a: b", "--method=POST", "--http2", "--msg=hello",
		"--client-cert=/a.crt", "--client-key=/a.key", "--insecure-skip-verify", "http://server/",
	}
	if got := sendCommand("http://server/", 2, options); !slices.Equal(got, command) {
		t.Errorf("by hand: %q", got)
	}
}
