package istioctl

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestPretender(t *testing.T) {
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"major":"1","minor":"28","gitVersion":"v1.28.15","platform":"linux/amd64","path":%q}`, r.URL.Path)
	}))
	t.Cleanup(real.Close)
	handler, err := pretender(&rest.Config{Host: real.URL, BearerToken: "token"}, "1.24.17")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	get := func(path string) string {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	aged := get("/version")
	for _, want := range []string{`"gitVersion":"v1.24.17"`, `"minor":"24"`, `"platform":"linux/amd64"`} {
		if !strings.Contains(aged, want) {
			t.Errorf("/version gives %s, want %s", aged, want)
		}
	}
	if other := get("/api/v1/pods"); !strings.Contains(other, "v1.28.15") || !strings.Contains(other, "/api/v1/pods") {
		t.Errorf("another path gives %s, want the server's own answer", other)
	}
	if _, err := pretender(&rest.Config{Host: real.URL}, "old"); err == nil {
		t.Error("no version: no error")
	}
}
