package steady

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// held opens a connection to a server and waits for a number of exchanges, or its end.
func heldTo(t *testing.T, handler http.HandlerFunc, exchanges int) *Connection {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := hold(t.Context(), "client to server", time.Millisecond, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for {
		c.mutex.Lock()
		done := c.held.Exchanges >= exchanges
		c.mutex.Unlock()
		select {
		case <-c.ended:
			return c
		case <-time.After(time.Millisecond):
			if done {
				return c
			}
		}
	}
}

func TestConnection(t *testing.T) {
	answer := func(http.ResponseWriter, *http.Request) {}
	requests := 0
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		held    bool
		says    string
	}{
		"answered":        {answer, true, "still open"},
		"refused":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, false, "503 Service Unavailable"},
		"closed politely": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, false, "asks to close"},
		"broken at once":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "EOF"},
		"broken after a few": {func(http.ResponseWriter, *http.Request) {
			if requests++; requests > 2 {
				panic(http.ErrAbortHandler)
			}
		}, false, "EOF"},
	} {
		held := heldTo(t, test.handler, 3).take()
		if ok, err := BeHeld().Match(held); err != nil || ok != test.held {
			t.Errorf("%s: BeHeld is %v, %v", name, ok, err)
		}
		for _, message := range []string{held.String(), BeHeld().FailureMessage(held), BeHeld().NegatedFailureMessage(held)} {
			if !strings.Contains(message, test.says) {
				t.Errorf("%s: %s", name, message)
			}
		}
	}
	if ok, err := BeHeld().Match(Held{Way: "unused"}); ok || err != nil {
		t.Errorf("a connection that was not used passes for held: %v", err)
	}
	if _, err := BeHeld().Match(1); err == nil {
		t.Error("BeHeld judges another type")
	}
}

func TestExchangesCountFromTakeToTake(t *testing.T) {
	c := heldTo(t, func(http.ResponseWriter, *http.Request) {}, 3)
	c.Close()
	if first, second := c.take(), c.take(); first.Exchanges < 3 || second.Exchanges != 0 {
		t.Errorf("%s, then %s", first, second)
	}
}

func TestNoConnection(t *testing.T) {
	_, err := hold(t.Context(), "client to nobody", time.Millisecond, func(context.Context) (net.Conn, error) {
		return nil, errors.New("refused")
	})
	if err == nil || !strings.Contains(err.Error(), "client to nobody: refused") {
		t.Errorf("got %v", err)
	}
}
