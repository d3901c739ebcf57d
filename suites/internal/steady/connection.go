package steady

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/timing"
)

// pause is between two exchanges on a held connection.
const pause = 2 * timing.Poll

// Connection is one TCP connection that is held open and used again and again. The exchanges are HTTP/1.1
// requests, since the echo program cuts connections to its TCP ports after 15 s (istio.io/istio,
// pkg/test/echo/server/endpoint): the far end is an HTTP port of it that the mesh takes for TCP.
type Connection struct {
	way    string
	opened time.Time
	halt   func()
	ended  chan struct{}

	mutex sync.Mutex
	held  Held
}

// Held is what became of a held connection.
type Held struct {
	// Way is who is connected to whom.
	Way string
	// Exchanges is how many requests have been answered on it since the last take, Lasted how long it has been
	// open by now.
	Exchanges int
	Lasted    time.Duration
	// Broken is how it ended; nil while it is open.
	Broken error
}

// String is the state in a line.
func (h Held) String() string {
	state := "still open"
	if h.Broken != nil {
		state = "broken: " + h.Broken.Error()
	}
	return fmt.Sprintf("%d exchanges on a connection %.1fs old, %s", h.Exchanges, h.Lasted.Seconds(), state)
}

// Hold opens a connection and uses it until Close, or cleanup, beyond the spec that opened it.
func Hold(ctx context.Context, way string, dial func(context.Context) (net.Conn, error)) *Connection {
	ginkgo.GinkgoHelper()
	c, err := hold(ctx, way, pause, dial)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(c.Close)
	return c
}

func hold(ctx context.Context, way string, pause time.Duration, dial func(context.Context) (net.Conn, error)) (*Connection, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	conn, err := dial(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", way, err)
	}
	c := &Connection{way: way, opened: time.Now(), halt: cancel, ended: make(chan struct{})}
	go c.run(ctx, conn, pause)
	return c, nil
}

func (c *Connection) run(ctx context.Context, conn net.Conn, pause time.Duration) {
	defer close(c.ended)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		err := exchange(conn, reader)
		if ctx.Err() != nil {
			return
		}
		c.mutex.Lock()
		if err == nil {
			c.held.Exchanges++
		} else {
			c.held.Broken = fmt.Errorf("after %.1fs: %w", time.Since(c.opened).Seconds(), err)
		}
		c.mutex.Unlock()
		if err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// errNoAnswer is why a connection that accepts requests and never responds counts as broken, after timing.Patience.
var errNoAnswer = errors.New("the far end did not answer")

// exchange makes one request on a connection and takes in its answer.
func exchange(conn net.Conn, reader *bufio.Reader) error {
	// Deadlines mean nothing to a connection through the API server.
	late := make(chan struct{})
	limit := timing.Patience()
	timer := time.AfterFunc(limit, func() { close(late); _ = conn.Close() })
	defer timer.Stop()
	err := request(conn, reader)
	select {
	case <-late:
		return fmt.Errorf("%w within %s", errNoAnswer, limit)
	default:
		return err
	}
}

func request(conn net.Conn, reader *bufio.Reader) error {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: held\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	if response.Close {
		return errors.New("the far end asks to close it")
	}
	return nil
}

// Take gives the connection's state and records it; see Requests.Take.
func (c *Connection) Take(what string) Held {
	held := c.take()
	evidence.Traffic(c.way+", "+what, "%s", held)
	return held
}

func (c *Connection) take() Held {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	held := c.held
	held.Way, held.Lasted = c.way, time.Since(c.opened)
	c.held.Exchanges = 0
	return held
}

// Close closes the connection.
func (c *Connection) Close() {
	c.halt()
	<-c.ended
}

// BeHeld holds for a connection that was used and is still open.
func BeHeld() types.GomegaMatcher { return stillHeld{} }

type stillHeld struct{}

// Match implements gomega's matcher.
func (stillHeld) Match(actual any) (bool, error) {
	held, ok := actual.(Held)
	if !ok {
		return false, fmt.Errorf("BeHeld is for a steady.Held, not a %T", actual)
	}
	return held.Exchanges > 0 && held.Broken == nil, nil
}

// FailureMessage implements gomega's matcher.
func (stillHeld) FailureMessage(actual any) string { return actual.(Held).judged("used and open") }

// NegatedFailureMessage implements gomega's matcher.
func (stillHeld) NegatedFailureMessage(actual any) string {
	return actual.(Held).judged("unused or broken")
}

func (h Held) judged(want string) string {
	return fmt.Sprintf("Expected the connection, %s, to be %s, last seen:\n    %s", h.Way, want, h)
}
