package echo

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// Visitor calls from this machine, from outside the cluster, through the address of a gateway.
type Visitor struct {
	// Address is the gateway's, without a port: the URL's scheme or port tells the listener.
	Address string
	// Roots are the authorities trusted for HTTPS; nil trusts nobody.
	Roots *x509.CertPool
	// Patience bounds each request; 0 is timing.Request.
	Patience time.Duration
}

// Measure sends a set of requests once and records what came back, and how a user repeats it.
func (v Visitor) Measure(ctx context.Context, url string, count int, headers ...http.Header) Answers {
	ginkgo.GinkgoHelper()
	evidence.Replay("%s", v.Command(url, headers...))
	answers, err := v.Send(ctx, url, count, headers...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Traffic(answers.Way, "%s", answers)
	return answers
}

// Send makes a set of requests, each on a connection of its own. The URL's host is the name that
// the gateway is asked for, in SNI and Host; where the name leads in DNS does not matter. Headers are
// added to each request.
// Requests that fail are an outcome: see Answers.Failed.
func (v Visitor) Send(ctx context.Context, url string, count int, headers ...http.Header) (Answers, error) {
	roots := v.Roots
	if roots == nil {
		roots = x509.NewCertPool()
	}
	client := &http.Client{
		Timeout: cmp.Or(v.Patience, timing.Request()),
		Transport: &http.Transport{
			MaxIdleConnsPerHost: kube.KeepNone,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(v.Address, port))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answers := Answers{Way: fmt.Sprintf("this machine to %s at %s", url, v.Address), Sent: count}
	for range count {
		answer, err := visit(ctx, client, url, headers)
		switch {
		case ctx.Err() != nil:
			return Answers{}, fmt.Errorf("send %d requests to %s at %s: %w", count, url, v.Address, context.Cause(ctx))
		case err == nil:
			answers.All = append(answers.All, answer)
		default:
			if answers.Failed++; answers.Failed == 1 {
				answers.Failure = err.Error()
			}
		}
	}
	return answers, nil
}

// Command is how a user makes one such request by hand.
func (v Visitor) Command(url string, headers ...http.Header) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	name, port, found := strings.Cut(host, ":")
	if !found {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	trust := ""
	if scheme == "https" {
		trust = " --insecure"
	}
	var given strings.Builder
	for _, header := range headers {
		for _, name := range slices.Sorted(maps.Keys(header)) {
			for _, value := range header[name] {
				fmt.Fprintf(&given, " --header '%s: %s'", name, value)
			}
		}
	}
	return fmt.Sprintf("curl -si%s --connect-to %s:%s:%s:%s%s %s", trust, name, port, v.Address, port, given.String(), url)
}

func visit(ctx context.Context, client *http.Client, url string, headers []http.Header) (answer Answer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, err
	}
	for _, header := range headers {
		maps.Copy(request.Header, header)
	}
	begun := time.Now()
	response, err := client.Do(request)
	if os.IsTimeout(err) && ctx.Err() == nil {
		return Answer{}, deadline.Missed("GET "+url+" did not get a response", begun, "", context.DeadlineExceeded)
	}
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	answer = Answer{
		Status:          response.StatusCode,
		ResponseHeaders: response.Header,
		Body:            string(body),
		RequestHeaders:  http.Header{},
	}
	if response.TLS != nil {
		answer.Certificate = response.TLS.PeerCertificates[0]
	}
	for line := range strings.Lines(answer.Body) {
		answer.readBody(strings.TrimRight(line, "\r\n"))
	}
	return answer, nil
}
