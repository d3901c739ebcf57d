package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// defaultHost is where the docker client finds its engine if nothing says otherwise.
const defaultHost = "unix:///var/run/docker.sock"

// connectTimeout is how long a connection to an engine may take. A unix socket connects at once, as long as its queue
// is not full: the kernel does it, whatever the engine does meanwhile.
const connectTimeout = 5 * time.Second

// endpoint is an address that connections can be made to; the zero value is none.
type endpoint struct{ network, address string }

// known reports whether there is an address to connect to.
func (p endpoint) known() bool { return p.network != "" }

// endpointOf returns the endpoint of an address as DOCKER_HOST has it; of other schemes, such as ssh, there is none.
func endpointOf(host string) endpoint {
	scheme, address, _ := strings.Cut(host, "://")
	switch {
	case address == "":
		return endpoint{}
	case scheme == "unix":
		return endpoint{"unix", address}
	case scheme == "tcp":
		address, _, _ = strings.Cut(address, "/")
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "2375") // the docker client's default without TLS
		}
		return endpoint{"tcp", address}
	default:
		return endpoint{}
	}
}

// endpoint returns where the docker client reaches the engine: by DOCKER_HOST, by its context, or by its default.
func (e *Engine) endpoint(ctx context.Context) endpoint {
	if e.Host != "" {
		return endpointOf(e.Host)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// The client reads this from its configuration, without its engine.
	said, err := output(ctx, os.Environ(), e.client, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if host := strings.TrimSpace(said); err == nil && host != "" {
		return endpointOf(host)
	}
	return endpointOf(defaultHost)
}

// connect makes a connection and closes it.
func (p endpoint) connect(ctx context.Context) error {
	dialer := net.Dialer{Timeout: connectTimeout}
	connection, err := dialer.DialContext(ctx, p.network, p.address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// deadly returns the errors of connect that mean that no engine listens: the connection is refused, or the socket's
// file is gone. Others, such as a full queue or a time-out, come from an engine that is slow.
func deadly(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("it refuses connections: %w", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("its socket is gone: %w", err)
	default:
		return nil
	}
}
