package kube

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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

func (c *Client) podRequest(ctx context.Context, method, namespace, pod string, port int, path string, body []byte) ([]byte, error) {
	what := fmt.Sprintf("%s %s/%s:%d%s", method, namespace, pod, port, path)
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://localhost:%d%s", port, path), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	// One connection per request, closed with it: pods come and go faster than a pool notices.
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return c.DialPod(ctx, namespace, pod, port)
			},
		},
		// The answer asked for is this pod's, not that of whom it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: read the answer: %w", what, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		head := content[:min(len(content), errorBodyBytes)]
		return nil, fmt.Errorf("%s: %w", what, &StatusError{Code: response.StatusCode, Head: strings.TrimSpace(string(head))})
	}
	return content, nil
}
