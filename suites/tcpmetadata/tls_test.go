package tcpmetadata

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// quotedCertificate is a certificate with the identities, as the echo client prints one.
func quotedCertificate(t *testing.T, ids ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	for _, id := range ids {
		uri, err := url.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

const peerID = "spiffe://cluster.local/ns/ns/sa/peer"

// printed is what the echo client prints of one connection.
func printed(number int, alpn, certificate string) string {
	return fmt.Sprintf("[%[1]d] Url=tls://10.0.0.1:9090\n[%[1]d] Latency=1ms\n[%[1]d] Version=1.3\n[%[1]d] ServerName=\n[%[1]d] Alpn=%[2]s\n[%[1]d body] Response0=%[3]s\n\n",
		number, alpn, certificate)
}

func TestParseAgreements(t *testing.T) {
	certificate := quotedCertificate(t, peerID)
	got, err := parseAgreements("2026-01-01T00:00:00Z\tinfo\tstarted\n" + printed(0, "istio-peer-exchange", certificate) + printed(1, "", certificate) + "all done\n")
	want := []agreement{{"1.3", "istio-peer-exchange", peerID}, {"1.3", "", peerID}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parseAgreements = %v, %v", got, err)
	}
	none, err := parseAgreements("nothing\n")
	if err != nil || len(none) > 0 {
		t.Errorf("of no connection = %v, %v", none, err)
	}
}

func TestParseAgreementsRefuses(t *testing.T) {
	good := quotedCertificate(t, peerID)
	for name, c := range map[string]struct{ output, want string }{
		"no certificate":            {"[0] Url=tls://x\n[0] Version=1.3\n", "no certificate"},
		"no handshake":              {"[0] Url=tls://x\n[0 body] Response0=" + good + "\n", "no version"},
		"a certificate unquoted":    {printed(0, "", "BEGIN"), "invalid syntax"},
		"a certificate that is not": {printed(0, "", `"text"`), "is no PEM"},
		"a certificate of nobody":   {printed(0, "", quotedCertificate(t)), "has 0 URIs"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseAgreements(c.output); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	on, off := agreement{"1.3", "istio-peer-exchange", peerID}, agreement{"1.3", "", peerID}
	want := `1 × TLS 1.3 with ` + peerID + `, ALPN "", 2 × TLS 1.3 with ` + peerID + `, ALPN "istio-peer-exchange"`
	if got := tally([]agreement{on, off, on}); got != want {
		t.Errorf("tally = %s", got)
	}
	if got := tally(nil); got != "" {
		t.Errorf("tally of none = %q", got)
	}
}
