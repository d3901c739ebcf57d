package main

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func serving(t *testing.T, serve http.HandlerFunc) *apiServer {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &apiServer{url: server.URL, client: server.Client(), tokenFile: token}
}

func TestAnnotations(t *testing.T) {
	server := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/shop" || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, `{"metadata":{"name":"shop","annotations":{"a":"b"}}}`)
	})
	if got, err := server.annotations(t.Context(), "shop"); err != nil || got["a"] != "b" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := server.annotations(t.Context(), "other"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a refusal: %v", err)
	}
}

func TestTrust(t *testing.T) {
	var path, body string
	server := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		path, body = r.Method+" "+r.URL.Path, string(content)
	})
	if err := server.trust(t.Context(), "validatingwebhookconfigurations/scc", []byte("pem")); err != nil {
		t.Fatal(err)
	}
	if path != "PATCH /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/scc" {
		t.Error(path)
	}
	// The field is of bytes: base64 of pem.
	if want := `[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"cGVt"}]`; body != want {
		t.Errorf("%s, want %s", body, want)
	}
	if err := server.trust(t.Context(), "scc", nil); err == nil {
		t.Error("a configuration without its resource is taken")
	}
}

func TestSelfSigned(t *testing.T) {
	certificate, bundle, err := selfSigned("scc.shop.svc")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil || !roots.AppendCertsFromPEM(bundle) {
		t.Fatalf("no PEM, or %v", err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "scc.shop.svc"}); err != nil {
		t.Error(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.shop.svc"}); err == nil {
		t.Error("another host is taken")
	}
	if _, _, err := selfSigned(""); err == nil {
		t.Error("no host is taken")
	}
}
