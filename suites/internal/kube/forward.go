package kube

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Forward listens on a free loopback port and carries every connection to a port of a pod,
// until stop is called or ctx ends. For one request PodGet is cheaper, and for a client that
// takes a dialler DialPod: neither listens.
func (c *Client) Forward(ctx context.Context, namespace, pod string, port int) (localAddr string, stop func(), err error) {
	// Ask once before listening: a pod that is missing is an error here, not at the first use.
	probe, err := c.DialPod(ctx, namespace, pod, port)
	if err != nil {
		return "", nil, err
	}
	probe.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the port-forward to %s/%s:%d: %w", namespace, pod, port, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { listener.Close() })
	var running sync.WaitGroup
	running.Go(func() {
		for {
			local, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer local.Close()
				remote, err := c.DialPod(ctx, namespace, pod, port)
				if err != nil {
					return
				}
				carry(ctx, local, remote)
			})
		}
	})
	return listener.Addr().String(), func() { cancel(); running.Wait() }, nil
}

// carry copies both ways until either side is done or ctx ends, and closes both.
func carry(ctx context.Context, local, remote net.Conn) {
	unhook := context.AfterFunc(ctx, func() { local.Close(); remote.Close() })
	defer unhook()
	defer remote.Close()
	go func() {
		// The end of what the local side sends must reach the pod, the pod's answer may follow it.
		defer closeWrite(remote)
		_, _ = io.Copy(remote, local)
	}()
	_, _ = io.Copy(local, remote)
}

func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
