package echo

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"istio.io/istio/pkg/test/echo/proto"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/timing"
)

// atOnce is how many requests of a set the echo program has under way at the same time (istio.io/istio,
// pkg/test/echo/server/forwarder/util.go, maxConcurrencyPerForward).
const atOnce = 20

// Option alters the requests of a set.
type Option struct {
	set func(*proto.ForwardEchoRequest)
	// flags say it to the echo client, for who repeats the requests by hand (istio.io/istio, pkg/test/echo/cmd/client).
	flags []string
}

// Header adds a request header; the name Host sets the authority.
func Header(name, value string) Option {
	return option(func(r *proto.ForwardEchoRequest) {
		r.Headers = append(r.Headers, &proto.Header{Key: name, Value: value})
	}, "--header="+name+": "+value)
}

// Headers adds request headers.
func Headers(headers ...http.Header) []Option {
	var options []Option
	for _, header := range headers {
		for _, name := range slices.Sorted(maps.Keys(header)) {
			for _, value := range header[name] {
				options = append(options, Header(name, value))
			}
		}
	}
	return options
}

// Method is the HTTP method, GET without it.
func Method(name string) Option {
	return option(func(r *proto.ForwardEchoRequest) { r.Method = name }, "--method="+name)
}

// HTTP2 has all requests of the set on one connection of HTTP/2, with prior knowledge.
func HTTP2() Option {
	return option(func(r *proto.ForwardEchoRequest) { r.Http2 = true }, "--http2")
}

// Message is what calls of gRPC say.
func Message(text string) Option {
	return option(func(r *proto.ForwardEchoRequest) { r.Message = text }, "--msg="+text)
}

// Identity has the caller present a certificate in TLS of its own. Both are files in the pod.
func Identity(certificate, key string) Option {
	return option(func(r *proto.ForwardEchoRequest) { r.CertFile, r.KeyFile = certificate, key },
		"--client-cert="+certificate, "--client-key="+key)
}

// Unverified has TLS of the caller's own take any certificate of the far end.
func Unverified() Option {
	return option(func(r *proto.ForwardEchoRequest) { r.InsecureSkipVerify = true }, "--insecure-skip-verify")
}

func option(set func(*proto.ForwardEchoRequest), flags ...string) Option { return Option{set, flags} }

// Send has the workload's echo program make a set of requests to url, through its sidecar where it has
// one. Requests that fail are an outcome, not an error: see Answers.Failed.
func (w *Workload) Send(ctx context.Context, url string, count int, options ...Option) (Answers, error) {
	request := &proto.ForwardEchoRequest{Url: url, Count: int32(count), TimeoutMicros: timeout(count).Microseconds()}
	for _, option := range options {
		option.set(request)
	}
	if err := w.byAddress(ctx, request); err != nil {
		return Answers{}, err
	}
	answers := Answers{Way: fmt.Sprintf("%s.%s to %s", w.Name, w.Namespace, url), Sent: count}
	conn, err := w.cluster.SharedGRPC(w.Namespace, w.Pod.Name, forwarderPort)
	if err != nil {
		return Answers{}, err
	}
	// The echo program bounds the set itself; what is longer is the way to the program.
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, timeout(count)+timing.Patience())
	defer cancel()
	response, err := proto.NewEchoTestServiceClient(conn).ForwardEcho(bounded, request)
	if err != nil && bounded.Err() != nil {
		what := fmt.Sprintf("%s/%s did not tell what became of %d requests to %s", w.Namespace, w.Pod.Name, count, url)
		return Answers{}, deadline.Missed(what, begun, err.Error(), context.Cause(bounded))
	}
	if answers.Failure = failure(err); answers.Failure != "" {
		answers.Failed = failed(answers.Failure, count)
		return answers, nil
	}
	if err != nil {
		return Answers{}, fmt.Errorf("have %s/%s send %d requests to %s: %w", w.Namespace, w.Pod.Name, count, url, err)
	}
	if answers.All, err = parseOutput(strings.Join(response.Output, "\n")); err != nil {
		return Answers{}, err
	}
	if len(answers.All) != count {
		return Answers{}, fmt.Errorf("have %s/%s send %d requests to %s: all were answered, it gave %d of the answers", w.Namespace, w.Pod.Name, count, url, len(answers.All))
	}
	return answers, nil
}

// timeout bounds a whole set of requests.
func timeout(count int) time.Duration { return timing.Request() * time.Duration(1+count/atOnce) }

// byAddress puts the address of a Service into a URL that has its full name, where that changes nothing but that DNS is not
// asked: the echo program lets some seconds pass until a connection stands (istio.io/istio, pkg/test/echo/common/util.go,
// ConnectionTimeout, amended in hack/images), and a lookup that a busy machine takes longer for says nothing about the mesh.
func (w *Workload) byAddress(ctx context.Context, request *proto.ForwardEchoRequest) error {
	parsed, err := url.Parse(request.Url)
	if err != nil || parsed.Scheme != "tcp" && parsed.Scheme != "http" {
		return nil
	}
	service, rest, _ := strings.Cut(parsed.Hostname(), ".")
	namespace, full := strings.CutSuffix(rest, ".svc.cluster.local")
	if !full || strings.Contains(namespace, ".") {
		return nil
	}
	address, err := w.cluster.ServiceAddress(ctx, namespace, service)
	if err != nil || address == "" {
		return err
	}
	if parsed.Port() != "" {
		address = net.JoinHostPort(address, parsed.Port())
	}
	if parsed.Scheme == "http" && !setsHost(request) {
		Header("Host", parsed.Host).set(request)
	}
	request.Url = strings.Replace(request.Url, "//"+parsed.Host, "//"+address, 1)
	return nil
}

// setsHost says whether a request has an authority already.
func setsHost(request *proto.ForwardEchoRequest) bool {
	return slices.ContainsFunc(request.Headers, func(header *proto.Header) bool { return strings.EqualFold(header.Key, "Host") })
}

// Measure sends a set of requests once and records what came back, and how a user repeats it.
func (w *Workload) Measure(ctx context.Context, url string, count int, options ...Option) Answers {
	ginkgo.GinkgoHelper()
	w.replay(url, count, options...)
	answers, err := w.Send(ctx, url, count, options...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Traffic(answers.Way, "%s", answers)
	return answers
}

// replay records how a user makes the same requests by hand.
func (w *Workload) replay(url string, count int, options ...Option) {
	command := sendCommand(url, count, options)
	for i, word := range command {
		if strings.ContainsAny(word, " ?&$;") {
			command[i] = "'" + word + "'"
		}
	}
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- %s", w.Namespace, w.Name, Container, strings.Join(command, " "))
}

func sendCommand(url string, count int, options []Option) []string {
	command := []string{"/usr/local/bin/client", fmt.Sprintf("--count=%d", count), fmt.Sprintf("--timeout=%s", timeout(count))}
	for _, option := range options {
		command = append(command, option.flags...)
	}
	return append(command, url)
}

// failure is why a set of requests failed in the words of who made them, on one line: what is said of a TCP connection that
// ended without an answer is of several. It is "" where requests are not what failed.
func failure(err error) string {
	said := status.Convert(err).Message()
	if status.Code(err) != codes.Unknown || !ofRequests.MatchString(said) {
		return ""
	}
	return strings.Join(strings.Fields(said), " ")
}

// ofRequests is how the echo program begins to tell of a set of requests that failed, and how many of them did where it counts
// them (istio.io/istio, pkg/test/echo/server/forwarder/util.go, doForward).
var ofRequests = regexp.MustCompile(`^(?:(\d+)/\d+ requests had errors|request set timed out)`)

// failed is how many requests of a set count as failed. Where that is not told,
// because the time was up, none is known to have been answered.
func failed(failure string, sent int) int {
	if found := ofRequests.FindStringSubmatch(failure); found != nil {
		if number, err := strconv.Atoi(found[1]); err == nil {
			return number
		}
	}
	return sent
}
