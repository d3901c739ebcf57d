package gate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// errClosed is the end of a gate, which is the end of the driver.
var errClosed = errors.New("the driver has closed the gate")

// Enter waits until the gate gives a place to run what, and returns how long that took. follow is called with the
// gate's state as soon as the place is given, and whenever the factor changes afterwards, from another goroutine.
// The place is held until leave is called, or the process ends.
func Enter(
	ctx context.Context, address, what string, follow func(State),
) (leave func(), waited time.Duration, err error) {
	begun := time.Now()
	leave, err = connect(ctx, address, request{For: what}, follow)
	if err != nil {
		err = fmt.Errorf("wait at the gate for %s: %w", what, err)
	}
	return leave, time.Since(begun), err
}

// Follow calls follow with the gate's state, and from another goroutine whenever the factor changes, until stop is
// called. It asks for no place.
func Follow(ctx context.Context, address string, follow func(State)) (stop func(), err error) {
	stop, err = connect(ctx, address, request{}, follow)
	if err != nil {
		err = fmt.Errorf("follow the gate: %w", err)
	}
	return stop, err
}

// connect sends a request, and returns after the first reply. The connection stays open until end is called.
func connect(ctx context.Context, address string, what request, follow func(State)) (end func(), err error) {
	conn, lines, err := ask(ctx, address, what)
	if err != nil {
		return nil, err
	}
	// The context is that of the wait: the connection outlives it.
	unbind := context.AfterFunc(ctx, func() { _ = conn.Close() })
	first, err := next(lines)
	if !unbind() || err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	follow(first.State)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			later, err := next(lines)
			if err != nil {
				return
			}
			follow(later.State)
		}
	}()
	return func() { _ = conn.Close(); <-done }, nil
}

// Provisioned tells the gate how many seconds it took to make the shared cluster ready, a negative number where a
// kept cluster is reused, and returns the state that specs begin with.
func Provisioned(ctx context.Context, address string, seconds float64) (State, error) {
	conn, lines, err := ask(ctx, address, request{Provisioned: seconds})
	if err != nil {
		return State{}, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	told, err := next(lines)
	if err != nil {
		return State{}, fmt.Errorf("tell the gate that the cluster is ready: %w", err)
	}
	return told.State, nil
}

// ask opens a connection and sends a request.
func ask(ctx context.Context, address string, what request) (net.Conn, *bufio.Reader, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the driver's gate: %w", err)
	}
	line, err := json.Marshal(what)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("ask at the driver's gate: %w", err)
	}
	return conn, bufio.NewReader(conn), nil
}

func next(lines *bufio.Reader) (reply, error) {
	line, err := lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return reply{}, errClosed
	}
	if err != nil {
		return reply{}, err
	}
	var said reply
	if err := json.Unmarshal(line, &said); err != nil {
		return reply{}, fmt.Errorf("understand the gate: %w", err)
	}
	return said, nil
}
