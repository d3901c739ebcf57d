package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// atOnce is how many requests of a set the echo client has under way at the same time.
const atOnce = 20

// Option alters the requests of a set, for a workload's echo client.
type Option func(*options)

type options struct{ flags []string }

// Header adds a request header; the name Host sets the authority.
func Header(name, value string) Option {
	return Flag("--header=" + name + ": " + value)
}

// Method is the HTTP method, GET without it.
func Method(name string) Option { return Flag("--method=" + name) }

// Flag hands the echo client a flag of its own, for what the other options do not name
// (istio.io/istio, pkg/test/echo/cmd/client).
func Flag(flag string) Option {
	return func(o *options) { o.flags = append(o.flags, flag) }
}

// Send makes a set of requests to url from the workload's pod, through its sidecar where it has
// one. Requests that fail are an outcome, not an error: see Answers.Failed.
func (w *Workload) Send(ctx context.Context, url string, count int, options ...Option) (Answers, error) {
	target, options, err := w.byAddress(ctx, url, options)
	if err != nil {
		return Answers{}, err
	}
	command := sendCommand(target, count, options)
	stdout, stderr, err := w.cluster.Exec(ctx, w.Namespace, w.Pod.Name, Container, command...)
	answers := Answers{Way: fmt.Sprintf("%s.%s to %s", w.Name, w.Namespace, url), Sent: count}
	var exit *kube.ExecError
	if errors.As(err, &exit) {
		if answers.Failure = failure(stdout + "\n" + stderr); answers.Failure != "" {
			answers.Failed = failed(answers.Failure, count)
			return answers, nil
		}
	}
	if err != nil {
		return Answers{}, fmt.Errorf("send %d requests to %s: %w", count, url, err)
	}
	if answers.All, err = parseOutput(stdout); err != nil {
		return Answers{}, err
	}
	// On a busy machine the end of a long output can get lost between container and API server.
	if len(answers.All) != count {
		return Answers{}, fmt.Errorf("send %d requests to %s: all were answered, the output that came back holds %d of them", count, url, len(answers.All))
	}
	return answers, nil
}

// byAddress puts the address of a Service into a URL that has its full name, where that changes nothing but that DNS is not
// asked: the echo client lets some seconds pass until a connection stands (istio.io/istio, pkg/test/echo/common/util.go,
// ConnectionTimeout, amended in hack/images), and a lookup that a busy machine takes longer for says nothing about the mesh.
func (w *Workload) byAddress(ctx context.Context, target string, options []Option) (string, []Option, error) {
	parsed, err := url.Parse(target)
	// The client takes no header with a port in its value, as the authority then has.
	if err != nil || !(parsed.Scheme == "tcp" || parsed.Scheme == "http" && parsed.Port() == "") {
		return target, options, nil
	}
	service, rest, _ := strings.Cut(parsed.Hostname(), ".")
	namespace, full := strings.CutSuffix(rest, ".svc.cluster.local")
	if !full || strings.Contains(namespace, ".") {
		return target, options, nil
	}
	address, err := w.cluster.ServiceAddress(ctx, namespace, service)
	if err != nil || address == "" {
		return target, options, err
	}
	if parsed.Port() != "" {
		address = net.JoinHostPort(address, parsed.Port())
	}
	if parsed.Scheme == "http" && !setsHost(options) {
		options = append([]Option{Header("Host", parsed.Host)}, options...)
	}
	return strings.Replace(target, "//"+parsed.Host, "//"+address, 1), options, nil
}

// setsHost says whether options have an authority already.
func setsHost(chosen []Option) bool {
	var of options
	for _, choose := range chosen {
		choose(&of)
	}
	return slices.ContainsFunc(of.flags, func(flag string) bool {
		return strings.HasPrefix(strings.ToLower(flag), "--header=host:")
	})
}

// Measure sends a set of requests once and records what came back, and how a user repeats it.
func (w *Workload) Measure(ctx context.Context, url string, count int, options ...Option) Answers {
	ginkgo.GinkgoHelper()
	w.Replay(url, count, options...)
	answers, err := w.Send(ctx, url, count, options...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Traffic(answers.Way, "%s", answers)
	return answers
}

// Replay records how a user makes the same requests by hand.
func (w *Workload) Replay(url string, count int, options ...Option) {
	command := sendCommand(url, count, options)
	for i, word := range command {
		if strings.ContainsAny(word, " ?&$;") {
			command[i] = "'" + word + "'"
		}
	}
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- %s", w.Namespace, w.Name, Container, strings.Join(command, " "))
}

func sendCommand(url string, count int, chosen []Option) []string {
	var of options
	for _, choose := range chosen {
		choose(&of)
	}
	// The client's timeout is for the whole set.
	timeout := timing.Request * time.Duration(1+count/atOnce)
	command := []string{"/usr/local/bin/client", fmt.Sprintf("--count=%d", count), fmt.Sprintf("--timeout=%s", timeout)}
	return append(append(command, of.flags...), url)
}

// failure finds in the echo client's log why its set of requests failed, "" where it does not say:
// the client itself is then what failed. What it says of a TCP connection that ended without an answer is of several lines,
// the last of which says so.
func failure(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if len(said) > 0 {
			if line == "" || logged.MatchString(line) {
				break
			}
			said = append(said, line)
			continue
		}
		_, message, fatal := strings.Cut(line, "\tfatal\t")
		message, ofRequests := strings.CutPrefix(message, "Error ")
		if fatal && ofRequests {
			said = []string{strings.TrimSpace(message)}
		}
	}
	return strings.Join(said, " ")
}

// logged is how a line of the echo client's log begins.
var logged = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:`)

var failedOf = regexp.MustCompile(`^(\d+)/\d+ requests had errors`)

// failed is how many requests of a set the echo client counts as failed. Where it does not count,
// because its time was up, none is known to have been answered.
func failed(failure string, sent int) int {
	if found := failedOf.FindStringSubmatch(failure); found != nil {
		if number, err := strconv.Atoi(found[1]); err == nil {
			return number
		}
	}
	return sent
}
