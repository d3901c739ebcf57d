package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func TestExec(t *testing.T) {
	cases := map[string]struct {
		code           int
		stdout, stderr string
	}{
		"success":               {0, "fine\n", ""},
		"success with warnings": {0, "fine\n", "a warning\n"},
		"failure":               {7, "half", "first\nno such file\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var ran []string
			cluster := fakeCluster{exec: func(command []string) (string, string, int) {
				ran = command
				return c.stdout, c.stderr, c.code
			}}
			stdout, stderr, err := cluster.client(t).Exec(t.Context(), "ns", "pod", "app", "cat", "/a b")
			if stdout != c.stdout || stderr != c.stderr {
				t.Errorf("got %q and %q", stdout, stderr)
			}
			if strings.Join(ran, "|") != "cat|/a b" {
				t.Errorf("ran %q", ran)
			}
			if c.code == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var failed *ExecError
			if !errors.As(err, &failed) || failed.Code != c.code || failed.Stderr != c.stderr {
				t.Fatalf("err = %#v", err)
			}
			if want := `"cat /a b" in pod ns/pod ended with code 7: no such file`; err.Error() != want {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestExecWhoseConnectionBreaks(t *testing.T) {
	cluster := fakeCluster{exec: func([]string) (string, string, int) { return "half", "", lost }}
	if stdout, _, err := cluster.client(t).Exec(t.Context(), "ns", "pod", "app", "cat"); err == nil {
		t.Errorf("%q passed for all that the command wrote", stdout)
	}
}

func TestExecOfAMissingPod(t *testing.T) {
	cluster := fakeCluster{}
	_, _, err := cluster.client(t).Exec(t.Context(), "ns", "gone", "", "true")
	if err == nil || !strings.Contains(err.Error(), "ns/gone") {
		t.Errorf("err = %v", err)
	}
}

func TestLogs(t *testing.T) {
	var asked map[string][]string
	cluster := fakeCluster{logs: func(query map[string][]string) string { asked = query; return "a\nb\n" }}
	client := cluster.client(t)
	since := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	text, err := client.Logs(t.Context(), "ns", "pod", "app", since)
	if err != nil || text != "a\nb\n" {
		t.Fatalf("Logs = %q, %v", text, err)
	}
	if got := asked["sinceTime"]; len(got) != 1 || got[0] != "2026-01-02T03:04:05Z" {
		t.Errorf("sinceTime = %v", got)
	}
	if _, err := client.Logs(t.Context(), "ns", "pod", "app", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, set := asked["sinceTime"]; set {
		t.Errorf("sinceTime = %v for the zero time", got)
	}
	if _, err := client.Logs(t.Context(), "ns", "gone", "app", since); err == nil {
		t.Error("no error for a missing pod")
	}
}

// podServer is what listens in the pod: it echoes the method and the body.
func podServer(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			http.Error(w, "the backend is on fire", http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestPodRequests(t *testing.T) {
	cluster := fakeCluster{target: podServer(t).URL}
	client := cluster.client(t)
	got, err := client.PodGet(t.Context(), "ns", "pod", 15000, "/stats?filter=a%20b")
	if err != nil || string(got) != "GET /stats?filter=a%20b " {
		t.Errorf("PodGet = %q, %v", got, err)
	}
	got, err = client.PodPost(t.Context(), "ns", "pod", 15000, "/x", []byte("body"))
	if err != nil || string(got) != "POST /x body" {
		t.Errorf("PodPost = %q, %v", got, err)
	}
	_, err = client.PodGet(t.Context(), "ns", "pod", 15000, "/broken")
	if want := "GET ns/pod:15000/broken: 503 Service Unavailable: the backend is on fire"; err == nil || err.Error() != want {
		t.Errorf("err = %v", err)
	}
}

func TestPodGetGivesTheKubeletsReason(t *testing.T) {
	cluster := fakeCluster{}
	_, err := cluster.client(t).PodGet(t.Context(), "ns", "pod", 15000, "/")
	if err == nil || !strings.Contains(err.Error(), "localhost:15000: connection refused") {
		t.Errorf("err = %v", err)
	}
}

func TestPodGetEndsWithItsContext(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	defer server.Close()
	defer close(held)
	cluster := fakeCluster{target: server.URL}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := cluster.client(t).PodGet(ctx, "ns", "pod", 80, "/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}

func TestForward(t *testing.T) {
	cluster := fakeCluster{target: podServer(t).URL}
	client := cluster.client(t)
	addr, stop, err := client.Forward(t.Context(), "ns", "pod", 80)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		response, err := http.Post("http://"+addr+"/p", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != "POST /p hello" {
			t.Errorf("body = %q", body)
		}
	}
	stop()
	if _, err := http.Get("http://" + addr); err == nil {
		t.Error("the forward still answers after stop")
	}
}

func TestForwardOfAMissingPod(t *testing.T) {
	cluster := fakeCluster{}
	if _, _, err := cluster.client(t).Forward(t.Context(), "ns", "gone", 80); err == nil {
		t.Error("no error for a missing pod")
	}
}

func TestLooksAtAPodShareAConnectionAndSurviveItsEnd(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	cluster := fakeCluster{target: server.URL}
	client := cluster.client(t)
	look := func() {
		t.Helper()
		if got, err := client.PodGet(t.Context(), "ns", "pod", 15000, "/"); err != nil || string(got) != "localhost:15000" {
			t.Fatalf("PodGet = %q, %v", got, err)
		}
	}
	look()
	look()
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections for two looks, want 1", got)
	}
	server.CloseClientConnections()
	look()
	if got := connections.Load(); got != 2 {
		t.Errorf("%d connections after the first one's end, want 2", got)
	}
	for range 2 {
		if _, err := client.PodPost(t.Context(), "ns", "pod", 15000, "/", nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 4 {
		t.Errorf("%d connections after two acts, want 4: each has its own", got)
	}
}

func TestCallsOfGRPCShareAConnectionAndSurviveItsEnd(t *testing.T) {
	target := grpcServer(t)
	cluster := fakeCluster{target: "http://" + target.address}
	client := cluster.client(t)
	call := func() {
		t.Helper()
		conn, err := client.SharedGRPC("ns", "pod", 7070)
		if err != nil {
			t.Fatal(err)
		}
		got, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
			t.Fatalf("Check = %v, %v", got, err)
		}
	}
	call()
	call()
	if got := target.connections.Load(); got != 1 {
		t.Errorf("%d connections for two calls, want 1", got)
	}
	target.drop()
	// A call on a connection whose end is not known yet fails: it may have been done.
	conn, err := client.SharedGRPC("ns", "pod", 7070)
	if err != nil {
		t.Fatal(err)
	}
	conn.(*grpc.ClientConn).WaitForStateChange(t.Context(), connectivity.Ready)
	call()
	if got := target.connections.Load(); got != 2 {
		t.Errorf("%d connections after the first one's end, want 2", got)
	}
}

func TestGRPCGivesTheKubeletsReason(t *testing.T) {
	cluster := fakeCluster{}
	conn, err := cluster.client(t).SharedGRPC("ns", "pod", 7070)
	if err != nil {
		t.Fatal(err)
	}
	_, err = healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "failed to connect to localhost:15000: connection refused") {
		t.Errorf("err = %v", err)
	}
}

// listening counts the connections to a gRPC server, and can end them all.
type listening struct {
	net.Listener
	address     string
	connections atomic.Int32
	open        sync.Map
}

func (l *listening) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.connections.Add(1)
		l.open.Store(conn, nil)
	}
	return conn, err
}

func (l *listening) drop() {
	l.open.Range(func(conn, _ any) bool {
		_ = conn.(net.Conn).Close()
		return true
	})
}

// grpcServer answers that it is healthy.
func grpcServer(t *testing.T) *listening {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &listening{Listener: listener, address: listener.Addr().String()}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(counted) }()
	t.Cleanup(server.Stop)
	return counted
}
