package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestReadAgain(t *testing.T) {
	lost := errors.New("http2: client connection lost")
	for name, c := range map[string]struct {
		method, url string
		fails       []error
		want        int
		err         error
	}{
		"a read that works":                     {http.MethodGet, "/api/v1/pods", nil, 1, nil},
		"a read whose connection is lost":       {http.MethodGet, "/api/v1/pods", []error{lost}, 2, nil},
		"a read whose connection is lost often": {http.MethodGet, "/api/v1/pods", []error{lost, io.EOF, lost, lost}, readTries, lost},
		"a read that is refused":                {http.MethodGet, "/api/v1/pods", []error{context.DeadlineExceeded}, 1, context.DeadlineExceeded},
		"a write":                               {http.MethodPost, "/api/v1/pods", []error{lost}, 1, lost},
		"a command in a pod":                    {http.MethodGet, "/api/v1/namespaces/a/pods/b/exec", []error{lost}, 1, lost},
		"a request to a pod":                    {http.MethodGet, "/api/v1/namespaces/a/pods/b:80/proxy/x", []error{lost}, 1, lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			client := readAgain(roundTrip(func(*http.Request) (*http.Response, error) {
				sent++
				if sent <= len(c.fails) {
					return nil, c.fails[sent-1]
				}
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			}))
			response, err := client.RoundTrip(httptest.NewRequest(c.method, c.url, http.NoBody))
			if response != nil {
				_ = response.Body.Close()
			}
			if !errors.Is(err, c.err) || sent != c.want {
				t.Errorf("sent %d times, %v; want %d, %v", sent, err, c.want, c.err)
			}
		})
	}
}

func TestConnectionLost(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("net/http: TLS handshake timeout"), true},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, true},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, false},
		{errors.New("403 Forbidden"), false},
	} {
		if got := connectionLost(c.err); got != c.want {
			t.Errorf("connectionLost(%v) = %v", c.err, got)
		}
	}
}
