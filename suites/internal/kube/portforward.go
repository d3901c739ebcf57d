package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport/spdy"

	"mesh-conformance/suites/internal/timing"
)

// portForwardProtocol is the subprotocol every kubelet of the supported versions speaks.
const portForwardProtocol = "portforward.k8s.io"

func (c *Client) podURL(namespace, pod, subresource string) *rest.Request {
	return c.Clientset.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(namespace).Name(pod).SubResource(subresource)
}

// DialPod connects to a port of a pod, loopback listeners included, through the API server.
// Where the pod refuses, the first Read gives the kubelet's reason: client-go's PortForwarder
// would print it and hand out a bare EOF, which is why it is not used here.
func (c *Client) DialPod(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	tunnel, err := c.tunnel(ctx, namespace, pod)
	if err != nil {
		return nil, fmt.Errorf("port-forward to %s/%s:%d: %w", namespace, pod, port, err)
	}
	conn, err := openStreams(tunnel, port)
	if err != nil {
		tunnel.Close()
		return nil, fmt.Errorf("port-forward to %s/%s:%d: %w", namespace, pod, port, err)
	}
	conn.name = podAddr(fmt.Sprintf("%s/%s:%d", namespace, pod, port))
	return conn, nil
}

// tunnel negotiates the SPDY connection that carries one forwarded connection.
func (c *Client) tunnel(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	url := c.podURL(namespace, pod, "portforward").URL()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url.String(), nil)
	if err != nil {
		return nil, err
	}
	type answer struct {
		tunnel httpstream.Connection
		err    error
	}
	// The upgrade does not heed the context once it is dialled, so it is waited for from outside.
	answered := make(chan answer, 1)
	go func() {
		tunnel, _, err := spdy.Negotiate(upgrader, &http.Client{Transport: transport}, request, portForwardProtocol)
		answered <- answer{tunnel, err}
	}()
	select {
	case a := <-answered:
		return a.tunnel, a.err
	case <-ctx.Done():
		go func() {
			if late := <-answered; late.err == nil {
				late.tunnel.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// openStreams asks for one forwarded connection: an error stream that only the kubelet
// writes, then the data stream.
func openStreams(tunnel httpstream.Connection, port int) (*podConn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	complaints, err := tunnel.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	// Half-closed: this side never writes to it.
	if err := complaints.Close(); err != nil {
		return nil, err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := tunnel.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	conn := &podConn{Stream: data, tunnel: tunnel, refused: make(chan struct{})}
	go func() {
		defer close(conn.refused)
		if text, _ := io.ReadAll(complaints); len(text) > 0 {
			conn.complaint = errors.New(strings.TrimSpace(string(text)))
		}
	}()
	return conn, nil
}

// podConn is one forwarded connection as a net.Conn. Deadlines are not kept: its users
// (net/http, gRPC) end a connection by closing it.
type podConn struct {
	httpstream.Stream
	tunnel httpstream.Connection
	name   podAddr
	// refused is closed when the kubelet has said all it has to say; complaint is set before.
	refused   chan struct{}
	complaint error
	closing   sync.Once
}

// Read gives the kubelet's complaint in place of a bare end of the stream.
func (p *podConn) Read(buffer []byte) (int, error) {
	n, err := p.Stream.Read(buffer)
	if n > 0 || err == nil {
		return n, err
	}
	// The kubelet's reason comes on a stream of its own. Most connections end without one, and each of them waits: a second on
	// a quiet machine.
	grace := time.NewTimer(timing.Request() / 10)
	defer grace.Stop()
	select {
	case <-p.refused:
		if p.complaint != nil {
			return 0, p.complaint
		}
	case <-grace.C:
	}
	return 0, err
}

// CloseWrite tells the pod that nothing more will be sent; the answer can still be read.
func (p *podConn) CloseWrite() error { return p.Stream.Close() }

func (p *podConn) Close() error {
	var err error
	p.closing.Do(func() { err = p.tunnel.Close() })
	return err
}

func (p *podConn) LocalAddr() net.Addr              { return podAddr("api-server") }
func (p *podConn) RemoteAddr() net.Addr             { return p.name }
func (p *podConn) SetDeadline(time.Time) error      { return nil }
func (p *podConn) SetReadDeadline(time.Time) error  { return nil }
func (p *podConn) SetWriteDeadline(time.Time) error { return nil }

type podAddr string

func (podAddr) Network() string  { return "portforward" }
func (a podAddr) String() string { return string(a) }
