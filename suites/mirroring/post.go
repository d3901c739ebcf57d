package mirroring

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// told is the header by which the echo server tells what was in a body: it answers with the headers that a
// form names, and logs its answer. That tells of bodies whose answer nobody gets to see.
const told = "x-body"

// content is a text that nobody has sent before, of at least that size.
func content(size int) string {
	var text strings.Builder
	for text.Len() < size {
		text.WriteString(rand.Text())
	}
	return text.String()
}

// fingerprint stands for a text that is too long to be shown.
func fingerprint(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:16] }

// bodyOf is the fingerprint of a request's body.
func bodyOf(request echo.Received) string { return fingerprint(request.Answered(told)) }

// inBoth is how many texts are in both lists.
func inBoth(some, others []string) int {
	number := 0
	for _, one := range some {
		if slices.Contains(others, one) {
			number++
		}
	}
	return number
}

// post sends requests with a body each through a gateway, once, and records what came back. It gives the
// bodies' fingerprints.
func post(ctx context.Context, visitor echo.Visitor, host string, count int, run string) (echo.Answers, []string) {
	GinkgoHelper()
	client := &http.Client{
		Timeout: timing.Request(),
		Transport: &http.Transport{MaxIdleConnsPerHost: kube.KeepNone, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(visitor.Address, "80"))
		}},
	}
	answers := echo.Answers{Way: fmt.Sprintf("this machine to %s at %s with POST", host, visitor.Address), Sent: count}
	var posted []string
	for range count {
		text := content(bodySize)
		answer, err := postOne(ctx, client, host, url.Values{"headers": {told + ":" + text}}, run)
		Expect(err).NotTo(HaveOccurred())
		answers.All = append(answers.All, answer)
		posted = append(posted, fingerprint(text))
	}
	evidence.Replay("curl -si --connect-to %s:80:%s:80 --header '%s: %s' --data headers=%s:... http://%s/", host, visitor.Address, runHeader, run, told, host)
	evidence.Traffic(answers.Way, "%s", answers)
	return answers, posted
}

// bodySize is more than fits into a packet, and less than proxies take for a header.
const bodySize = 4 << 10

func postOne(ctx context.Context, client *http.Client, host string, form url.Values, run string) (answer echo.Answer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return echo.Answer{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set(runHeader, run)
	begun := time.Now()
	response, err := client.Do(request)
	if os.IsTimeout(err) && ctx.Err() == nil {
		return echo.Answer{}, deadline.Missed("POST to "+host+" did not get a response", begun, "", context.DeadlineExceeded)
	}
	if err != nil {
		return echo.Answer{}, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return echo.Answer{}, err
	}
	_, rest, _ := strings.Cut(string(body), "\nHostname=")
	name, _, _ := strings.Cut(rest, "\n")
	return echo.Answer{Status: response.StatusCode, ResponseHeaders: response.Header, Body: string(body), Hostname: name}, nil
}
