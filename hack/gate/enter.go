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

// Enter waits until the gate gives a place, and returns how long that took. follow is called with the gate's state as soon as the place
// is given, and whenever the factor changes afterwards, from another goroutine. The place is held until leave is called, or the
// process ends.
func Enter(ctx context.Context, address, what string, follow func(State)) (leave func(), waited time.Duration, err error) {
	begun := time.Now()
	conn, lines, err := ask(ctx, address, request{For: what})
	if err != nil {
		return nil, 0, err
	}
	// The context is that of the wait: a place is held beyond it.
	unbind := context.AfterFunc(ctx, func() { _ = conn.Close() })
	first, err := next(lines)
	if !unbind() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, time.Since(begun), fmt.Errorf("wait at the gate for %s: %w", what, err)
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
	return func() { _ = conn.Close(); <-done }, time.Since(begun), nil
}

// Provisioned tells the gate how many seconds it took to make the shared cluster ready, a negative number where a kept cluster is
// reused, and returns the state that specs begin with.
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
