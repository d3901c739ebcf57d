package kube

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/timing"
)

// errorBodyBytes is how much of the body of an unsuccessful answer an error quotes.
const errorBodyBytes = 300

// StatusError is an answer outside 2xx.
type StatusError struct {
	Code int
	// Head is the beginning of the body.
	Head string
}

// Error gives the status and what the pod said about it.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), e.Head)
}

// PodGet sends a GET to a port of a pod through a port-forward, loopback listeners included,
// and gives the body. An answer outside 2xx is an error that quotes the body's beginning.
func (c *Client) PodGet(ctx context.Context, namespace, pod string, port int, path string) ([]byte, error) {
	return c.podRequest(ctx, http.MethodGet, namespace, pod, port, path, nil)
}

// PodPost is PodGet with the method POST and a body, which may be nil.
func (c *Client) PodPost(ctx context.Context, namespace, pod string, port int, path string, body []byte) ([]byte, error) {
	return c.podRequest(ctx, http.MethodPost, namespace, pod, port, path, body)
}

// idle is how long a connection to a pod is kept for the next look: longer than the pause between two, and than most
// steps of a spec.
const idle = 60 * timing.Poll

// podAddress is what the pool knows a port of a pod by; a namespace has no dot in its name.
func podAddress(namespace, pod string, port int) string {
	return fmt.Sprintf("%s.%s:%d", namespace, pod, port)
}

// dialAddress is DialPod for the addresses that podAddress makes.
func (c *Client) dialAddress(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	namespace, pod, _ := strings.Cut(host, ".")
	return c.DialPod(ctx, namespace, pod, number)
}

// KeepNone is a Transport's MaxIdleConnsPerHost with which the client ends each connection once it has the answer.
// DisableKeepAlives has the far end do it, and Envoy waits a second for that, even with the answer unsent
// (delayed_close_timeout of its HTTP connection manager): on a busy machine the answer is lost, and the client told of
// an EOF. See github.com/istio/istio/issues/30577.
const KeepNone = -1

// visitor makes requests to pods, keeping connections or not. Who polls looks at the same pod many times a
// second, and a connection through the API server is dear to all on the way. A kept one that has ended
// meanwhile, since pods come and go, net/http replaces by itself.
func (c *Client) visitor(keep bool) *http.Client {
	transport := &http.Transport{DialContext: c.dialAddress, IdleConnTimeout: idle}
	if !keep {
		transport.MaxIdleConnsPerHost = KeepNone
	}
	return &http.Client{
		Transport: transport,
		// The answer asked for is this pod's, not that of whom it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (c *Client) podRequest(ctx context.Context, method, namespace, pod string, port int, path string, body []byte) ([]byte, error) {
	what := fmt.Sprintf("%s %s/%s:%d%s", method, namespace, pod, port, path)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Patience())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+podAddress(namespace, pod, port)+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	request.Host = fmt.Sprintf("localhost:%d", port)
	c.pods.Do(func() { c.looks, c.acts = c.visitor(true), c.visitor(false) })
	client := c.looks
	if method != http.MethodGet {
		// net/http does not repeat what may not be done twice on a connection that turns out to have ended.
		client = c.acts
	}
	response, err := client.Do(request)
	if err != nil && ctx.Err() != nil {
		return nil, deadline.Missed(what+" did not get a response", begun, "", context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil && ctx.Err() != nil {
		return nil, deadline.Missed(what+" did not get the whole response", begun, fmt.Sprintf("%d bytes", len(content)), context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read the answer: %w", what, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		head := content[:min(len(content), errorBodyBytes)]
		return nil, fmt.Errorf("%s: %w", what, &StatusError{Code: response.StatusCode, Head: strings.TrimSpace(string(head))})
	}
	return content, nil
}
