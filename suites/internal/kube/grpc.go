package kube

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"mesh-conformance/suites/internal/timing"
)

// messageBytes is the longest message that a pod may send: clusters of a whole mesh, or what a thousand requests were told,
// exceed gRPC's default of 4 MB.
const messageBytes = 64 << 20

// GRPC is a connection to a plaintext gRPC port of a pod, loopback listeners included, through the API server. It is dialled
// at the first call, and anew at the first one after it has ended or was idle for a while. The caller closes it.
func (c *Client) GRPC(namespace, pod string, port int) (*grpc.ClientConn, error) {
	// The target's name only has to be one that gRPC does not try to resolve.
	conn, err := grpc.NewClient("passthrough:///"+podAddress(namespace, pod, port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return c.DialPod(ctx, namespace, pod, port)
		}),
		grpc.WithIdleTimeout(idle),
		// By default 20 s, which a port-forward of a starved machine can exceed.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: timing.Patience()}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytes)),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s/%s:%d: %w", namespace, pod, port, err)
	}
	return conn, nil
}

// SharedGRPC is GRPC for a connection that all callers of the process share: it is never closed, and costs nothing while
// it is idle.
func (c *Client) SharedGRPC(namespace, pod string, port int) (grpc.ClientConnInterface, error) {
	c.conns.Lock()
	defer c.conns.Unlock()
	address := podAddress(namespace, pod, port)
	if conn, known := c.conns.to[address]; known {
		return conn, nil
	}
	conn, err := c.GRPC(namespace, pod, port)
	if err != nil {
		return nil, err
	}
	if c.conns.to == nil {
		c.conns.to = map[string]*grpc.ClientConn{}
	}
	c.conns.to[address] = conn
	return conn, nil
}
