package echo

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func echoing(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Host=%s\nURL=%s\nRequestHeader=X-Test:1\nHostname=server-1\n", r.Host, r.RequestURI)
}

func port(t *testing.T, server *httptest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestVisitorAsksTheAddressForTheName(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echoing))
	defer server.Close()
	host := "www.example.com:" + port(t, server)
	answers, err := Visitor{Address: "127.0.0.1"}.Send(t.Context(), "http://"+host+"/a", 2)
	if err != nil || answers.Sent != 2 || len(answers.All) != 2 {
		t.Fatalf("got %+v, %v", answers, err)
	}
	got := answers.All[1]
	if got.Status != 200 || got.Host != host || got.URL != "/a" || got.Hostname != "server-1" || got.RequestHeaders.Get("X-Test") != "1" || got.Certificate != nil {
		t.Errorf("got %+v", got)
	}
}

func TestVisitorVerifiesTheCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(echoing))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := Visitor{Address: "127.0.0.1", Roots: roots}
	// httptest's certificate is for example.com.
	answers, err := trusting.Send(t.Context(), "https://example.com:"+port(t, server)+"/", 1)
	if err != nil || len(answers.All) != 1 || !answers.All[0].Certificate.Equal(server.Certificate()) {
		t.Errorf("got %+v, %v", answers, err)
	}
	for name, refused := range map[string]struct {
		visitor Visitor
		host    string
	}{
		"another name":    {trusting, "www.example.org"},
		"nobody trusted":  {Visitor{Address: "127.0.0.1"}, "example.com"},
		"an unused port":  {Visitor{Address: "127.0.0.2", Roots: x509.NewCertPool()}, "example.com"},
		"an invalid name": {trusting, "exa mple.com"},
	} {
		answers, err := refused.visitor.Send(t.Context(), "https://"+refused.host+":"+port(t, server)+"/", 1)
		if err != nil || answers.Failure == "" || answers.Failed != 1 || len(answers.All) != 0 || answers.Sent != 1 {
			t.Errorf("%s: got %+v, %v", name, answers, err)
		}
	}
}

func TestVisitorGivesUpWithItsSpec(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answers, err := (Visitor{Address: "127.0.0.1"}).Send(ctx, "http://example.com/", 1); err == nil {
		t.Errorf("the end of a spec was taken for an outcome: %+v", answers)
	}
}

func TestVisitorCommand(t *testing.T) {
	visitor := Visitor{Address: "172.18.0.9"}
	for url, want := range map[string]string{
		"http://www.example.com/a":   "--connect-to www.example.com:80:172.18.0.9:80 http://www.example.com/a",
		"https://www.example.com":    "--insecure --connect-to www.example.com:443:172.18.0.9:443 https://www.example.com",
		"http://www.example.com:81/": "--connect-to www.example.com:81:172.18.0.9:81 http://www.example.com:81/",
	} {
		if got := visitor.Command(url); !strings.Contains(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
