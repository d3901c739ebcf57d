package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen opens a unix socket with a short queue, and returns what closes it. Nobody accepts its connections.
func listen(t *testing.T, path string) (stop func()) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { _ = unix.Close(fd) })
	t.Cleanup(stop)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	return stop
}

func TestConnectTellsASlowEngineFromADeadOne(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		dead    string // empty: not dead
	}{
		"nobody accepts": {func(t *testing.T, path string) { listen(t, path) }, ""},
		"nobody accepts and the queue is full": {func(t *testing.T, path string) {
			listen(t, path)
			for range 4 {
				if connection, err := net.Dial("unix", path); err == nil {
					t.Cleanup(func() { _ = connection.Close() })
				}
			}
		}, ""},
		"the listener is closed": {func(t *testing.T, path string) { listen(t, path)() }, "refuses connections"},
		"the file is gone": {func(t *testing.T, path string) {
			listen(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "socket is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			c.prepare(t, path)
			at := endpointOf("unix://" + path)
			err := deadly(at.connect(t.Context()))
			if (err != nil) != (c.dead != "") || err != nil && !strings.Contains(err.Error(), c.dead) {
				t.Errorf("got %v, want %q", err, c.dead)
			}
		})
	}
	t.Run("a closed port", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := endpointOf("tcp://" + listener.Addr().String())
		if err := at.connect(t.Context()); err != nil {
			t.Errorf("open: %v", err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if err := deadly(at.connect(t.Context())); err == nil {
			t.Error("a closed port is not dead")
		}
	})
}

func TestEndpointOf(t *testing.T) {
	for host, want := range map[string]endpoint{
		"unix:///run/docker.sock":  {"unix", "/run/docker.sock"},
		"tcp://203.0.113.1:2376":   {"tcp", "203.0.113.1:2376"},
		"tcp://203.0.113.1":        {"tcp", "203.0.113.1:2375"},
		"tcp://[2001:db8::1]:1/v1": {"tcp", "[2001:db8::1]:1"},
		"tcp://[2001:db8::1]":      {"tcp", "[2001:db8::1]:2375"},
		"ssh://user@host":          {},
		"":                         {},
	} {
		if got := endpointOf(host); got != want {
			t.Errorf("endpointOf(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestEndpointIsThatOfTheClient(t *testing.T) {
	client := func(script string) string { return filepath.Join(fakeClient(t, script), "docker") }
	for name, c := range map[string]struct {
		engine Engine
		want   string
	}{
		"DOCKER_HOST":           {Engine{Host: "tcp://h:1", client: client("echo unix:///context.sock")}, "h:1"},
		"a context":             {Engine{client: client("echo unix:///context.sock")}, "/context.sock"},
		"a client without them": {Engine{client: client("exit 1")}, "/var/run/docker.sock"},
	} {
		if got := c.engine.endpoint(t.Context()); got.address != c.want {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	refused := errors.New("it refuses connections")
	for name, c := range map[string]struct {
		refusals int
		beats    string // one each 20 s: r responds, s is silent, x refuses
		lines    string
		dies     bool
	}{
		"an engine that responds":             {3, "rrrr", "", false},
		"a pause":                             {3, "rsr", "", false},
		"a slow engine, once":                 {1, "rssssssssr", "the container engine has not responded for 40s; the run goes on|the container engine responds again, after 3m0s", false},
		"slow for ever":                       {3, strings.Repeat("s", 100), "the container engine has not responded for 40s; the run goes on", false},
		"slow twice":                          {3, "ssrssr", "the container engine has not responded for 40s; the run goes on|the container engine responds again, after 1m0s|the container engine has not responded for 40s; the run goes on|the container engine responds again, after 1m0s", false},
		"a private one refuses":               {1, "rx", "", true},
		"a found one refuses twice":           {3, "rxxrxxs", "the container engine has not responded for 40s; the run goes on|the container engine responds again, after 1m0s|the container engine has not responded for 40s; the run goes on", false},
		"a found one refuses again and again": {3, "rxxx", "the container engine has not responded for 40s; the run goes on", true},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			p := pulse{refusals: c.refusals, responded: now}
			var lines []string
			died := false
			for _, kind := range c.beats {
				now = now.Add(20 * time.Second)
				b := beat{at: now, responds: kind == 'r'}
				if kind == 'x' {
					b.refusal = refused
				}
				next, line, err := p.judge(b)
				if line != "" {
					lines = append(lines, line)
				}
				p, died = next, err != nil
			}
			if got := strings.Join(lines, "|"); got != c.lines || died != c.dies {
				t.Errorf("logged %q, died %t; want %q, %t", got, died, c.lines, c.dies)
			}
		})
	}
}

func TestBeat(t *testing.T) {
	listening, closed := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "s")
	listen(t, listening)
	listen(t, closed)()
	failing := filepath.Join(fakeClient(t, "exit 1"), "docker")
	for name, c := range map[string]struct {
		client            string
		at                endpoint
		responds, refuses bool
	}{
		"responds":                          {filepath.Join(fakeClient(t, answering), "docker"), endpointOf("unix://" + listening), true, false},
		"listens and does not respond":      {failing, endpointOf("unix://" + listening), false, false},
		"refuses":                           {failing, endpointOf("unix://" + closed), false, true},
		"the client fails, out of sight":    {failing, endpoint{}, false, true},
		"the client responds, out of sight": {filepath.Join(fakeClient(t, answering), "docker"), endpoint{}, true, false},
	} {
		e := &Engine{client: c.client}
		if b := e.beat(t.Context(), c.at); b.responds != c.responds || (b.refusal != nil) != c.refuses {
			t.Errorf("%s: %+v", name, b)
		}
	}
	t.Run("a client that is out of time refuses nothing", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		e := &Engine{client: filepath.Join(fakeClient(t, "exec sleep 10"), "docker")}
		if b := e.beat(ctx, endpoint{}); b.responds || b.refusal != nil {
			t.Errorf("got %+v", b)
		}
	})
}

func TestGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stop := listen(t, path)
	e := &Engine{Host: "unix://" + path}
	if err := e.Gone(t.Context()); err != nil {
		t.Errorf("listening: %v", err)
	}
	stop()
	if err := e.Gone(t.Context()); err == nil {
		t.Error("a closed socket is not gone")
	}
	at := layoutOf(t.TempDir())
	if err := (&Engine{Private: true, Host: at.host(), layout: at}).Gone(t.Context()); !errors.Is(err, errProcessEnded) {
		t.Errorf("a private engine without a process: %v", err)
	}
}
