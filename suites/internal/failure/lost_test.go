package failure

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"mesh-conformance/suites/internal/kube"
)

// client is of an API server that responds with a status.
func client(t *testing.T, status int) (*kube.Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &kube.Client{Name: "a", Clientset: clientset}, server
}

func TestAnAPIServerThatRespondsIsNotLost(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusInternalServerError} {
		c, _ := client(t, status)
		if line, lost := lostAPIServer(t.Context(), c); lost {
			t.Errorf("with status %d: %s", status, line)
		}
	}
}

func TestAnAPIServerThatDoesNotRespondIsLost(t *testing.T) {
	c, server := client(t, http.StatusOK)
	server.Close()
	line, lost := lostAPIServer(t.Context(), c)
	if !lost || !strings.HasPrefix(line, "the API server of cluster a did not respond to /readyz") {
		t.Errorf("lost %t: %q", lost, line)
	}
}
