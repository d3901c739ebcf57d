package tcpmetadata

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// agreement is what a client saw of a TLS handshake that it has completed.
type agreement struct {
	Version string
	// Negotiated is the protocol that both ends agreed on by ALPN, empty for none.
	Negotiated string
	// Server is the SPIFFE id of the far end's certificate.
	Server string
}

// String is the handshake in a few words.
func (a agreement) String() string {
	return fmt.Sprintf("TLS %s with %s, ALPN %q", a.Version, a.Server, a.Negotiated)
}

// tally sums handshakes up, alike ones together: "10 × TLS 1.3 with ...".
func tally(agreements []agreement) string {
	count := map[string]int{}
	for _, one := range agreements {
		count[one.String()]++
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		kinds = append(kinds, fmt.Sprintf("%d × %s", count[kind], kind))
	}
	return strings.Join(kinds, ", ")
}

// parseAgreements reads what the echo client prints of its connections to tls:// addresses, where it says
// nothing of the answers (istio.io/istio, pkg/test/echo/server/forwarder/tls.go). The lines of one connection
// begin with its number: "[0] Version=1.3", "[0] Alpn=istio-peer-exchange", "[0 body] Response0=<certificate>".
func parseAgreements(output string) ([]agreement, error) {
	var agreements []agreement
	numbers := map[string]int{}
	for line := range strings.Lines(output) {
		tag, text, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "["), "] ")
		key, value, keyed := strings.Cut(text, "=")
		if !ok || !keyed {
			continue
		}
		number, _, _ := strings.Cut(tag, " ")
		at, seen := numbers[number]
		switch {
		case !seen && key != "Url":
			continue
		case !seen:
			at = len(agreements)
			numbers[number] = at
			agreements = append(agreements, agreement{})
		}
		switch key {
		case "Version":
			agreements[at].Version = value
		case "Alpn":
			agreements[at].Negotiated = value
		case "Response0":
			server, err := spiffe(value)
			if err != nil {
				return nil, fmt.Errorf("read the echo client's output: connection %s: %w", number, err)
			}
			agreements[at].Server = server
		}
	}
	for i, one := range agreements {
		if one.Version == "" || one.Server == "" {
			return nil, fmt.Errorf("read the echo client's output: connection %d has no version or no certificate: %q", i, output)
		}
	}
	return agreements, nil
}

// spiffe is the identity in a certificate, which is PEM in a quoted string.
func spiffe(quoted string) (string, error) {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return "", fmt.Errorf("certificate: %w", err)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", fmt.Errorf("certificate is no PEM: %.40q", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("certificate: %w", err)
	}
	if len(certificate.URIs) != 1 {
		return "", fmt.Errorf("certificate has %d URIs, not one", len(certificate.URIs))
	}
	return certificate.URIs[0].String(), nil
}
