package kube

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// readTries bounds how often a read is sent in all.
const readTries = 3

// readAgain returns a RoundTripper that sends a read of the API server again after the connection was lost or did
// not come to be: neither says anything about the product. client-go does so for a connection that is reset, but not
// for one that its health check or a handshake gave up. Writes and streams are never sent twice.
func readAgain(next http.RoundTripper) http.RoundTripper { return &again{next: next} }

type again struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a *again) RoundTrip(request *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		response, err := a.next.RoundTrip(request)
		if err == nil || try == readTries || request.Context().Err() != nil || !isRead(request) || !connectionLost(err) {
			return response, err
		}
		ginkgo.GinkgoWriter.Printf("%s %s: %v: sent again\n", request.Method, request.URL.Path, err)
		select {
		case <-time.After(time.Duration(try) * time.Second):
		case <-request.Context().Done():
			return nil, errors.Join(context.Cause(request.Context()), err)
		}
	}
}

// WrappedRoundTripper lets client-go look behind it (k8s.io/apimachinery/pkg/util/net, RoundTripperWrapper).
func (a *again) WrappedRoundTripper() http.RoundTripper { return a.next }

// isRead reports whether a request may be sent twice: a GET that neither runs a command in a pod nor opens a stream
// to one.
func isRead(request *http.Request) bool {
	if request.Method != http.MethodGet || request.Header.Get("Upgrade") != "" {
		return false
	}
	switch path.Base(request.URL.Path) {
	case "exec", "attach", "portforward":
		return false
	}
	return !strings.Contains(request.URL.Path, "/proxy/")
}

// connectionLost reports whether a request failed because its connection did, before there was a response.
func connectionLost(err error) bool {
	if utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) {
		return true
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout() {
		return true
	}
	// net/http does not export it.
	return strings.Contains(err.Error(), "TLS handshake timeout")
}
