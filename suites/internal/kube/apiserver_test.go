package kube

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/apimachinery/pkg/util/httpstream/wsstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// fakeCluster is an API server of one pod, "ns/pod": its streams speak real SPDY and WebSocket, its
// logs come from a function, its ports lead to target and, where that is empty, are refused.
type fakeCluster struct {
	target string
	exec   func(command []string) (stdout, stderr string, code int)
	logs   func(query map[string][]string) string
}

const podPath = "/api/v1/namespaces/ns/pods/pod/"

func (f *fakeCluster) client(t *testing.T) *Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+podPath+"log", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, f.logs(r.URL.Query()))
	})
	mux.HandleFunc("GET "+podPath+"exec", f.serveExec)
	mux.HandleFunc("POST "+podPath+"portforward", f.servePortForward)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Config: config, Clientset: clientset}
}

// streams upgrades a request and hands over its streams as they are made.
func streams(w http.ResponseWriter, r *http.Request, protocols []string) (httpstream.Connection, <-chan httpstream.Stream) {
	if _, err := httpstream.Handshake(r, w, protocols); err != nil {
		return nil, nil
	}
	made := make(chan httpstream.Stream, 8)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replySent <-chan struct{}) error {
		go func() { <-replySent; made <- stream }()
		return nil
	})
	return conn, made
}

func (f *fakeCluster) serveExec(w http.ResponseWriter, r *http.Request) {
	stdout, stderr, code := f.exec(r.URL.Query()["command"])
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{"v4.channel.k8s.io": {Binary: true, Channels: []wsstream.ChannelType{
		wsstream.IgnoreChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel,
	}}})
	conn.SetIdleTimeout(time.Minute)
	kept := &hijacked{ResponseWriter: w}
	_, channels, err := conn.Open(kept, r)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(channels[1], stdout)
	_, _ = io.WriteString(channels[2], stderr)
	if code == lost {
		_ = kept.conn.Close()
		return
	}
	status := metav1.Status{Status: metav1.StatusSuccess}
	if code != 0 {
		status = metav1.Status{
			Status: metav1.StatusFailure, Reason: "NonZeroExitCode",
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ExitCode", Message: fmt.Sprint(code)}}},
		}
	}
	_ = json.NewEncoder(channels[3]).Encode(status)
}

// hijacked keeps the connection that a request was upgraded on.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, buffered, err
}

// lost is the exit code of a command whose connection breaks before it has ended.
const lost = -1

func (f *fakeCluster) servePortForward(w http.ResponseWriter, r *http.Request) {
	conn, made := streams(w, r, []string{portForwardProtocol})
	if conn == nil {
		return
	}
	defer conn.Close()
	byType := map[string]httpstream.Stream{}
	for range 2 {
		select {
		case stream := <-made:
			byType[stream.Headers().Get(corev1.StreamType)] = stream
		case <-conn.CloseChan():
			return
		}
	}
	data, complaints := byType[corev1.StreamTypeData], byType[corev1.StreamTypeError]
	f.connect(data, complaints)
	complaints.Close()
	data.Close()
	<-conn.CloseChan()
}

func (f *fakeCluster) connect(data io.ReadWriter, complaints io.Writer) {
	if f.target == "" {
		_, _ = io.WriteString(complaints, "failed to connect to localhost:15000: connection refused\n")
		return
	}
	target, err := net.Dial("tcp", strings.TrimPrefix(f.target, "http://"))
	if err != nil {
		_, _ = io.WriteString(complaints, err.Error())
		return
	}
	defer target.Close()
	go func() { _, _ = io.Copy(target, data) }()
	_, _ = io.Copy(data, target)
}
