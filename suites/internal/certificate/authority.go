package certificate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"net/url"
	"time"
)

// The keys of the secret from which istiod takes a plugged authority (istio.io, "Plug in CA Certificates").
const (
	SignerCertificate = "ca-cert.pem"
	SignerKey         = "ca-key.pem"
	SignerChain       = "cert-chain.pem"
	RootCertificates  = "root-cert.pem"
)

// Authority signs certificates: a root, or a signer under one.
type Authority struct {
	Certificate *x509.Certificate

	// above is who signed it, nil for a root.
	above *Authority
	key   *ecdsa.PrivateKey
}

// NewRoot makes an authority that nobody has signed but itself.
func NewRoot(name string) (*Authority, error) {
	return newAuthority(name, nil)
}

// Signer makes an authority under this one.
func (a *Authority) Signer(name string) (*Authority, error) {
	return newAuthority(name, a)
}

func newAuthority(name string, above *Authority) (*Authority, error) {
	template := &x509.Certificate{
		// istiod reads the organization of who signs.
		Subject:               pkix.Name{CommonName: name, Organization: []string{"mesh-conformance"}},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	made := &Authority{above: above}
	var parent *x509.Certificate
	var parentKey *ecdsa.PrivateKey
	if above != nil {
		parent, parentKey = above.Certificate, above.key
	}
	var err error
	made.Certificate, made.key, err = sign(template, parent, parentKey)
	return made, err
}

// Expired is a signer as this one, of the same name and key, whose time is over.
func (a *Authority) Expired() (*Authority, error) {
	if a.above == nil {
		return nil, fmt.Errorf("%s is a root, not a signer", a.Certificate.Subject)
	}
	template := *a.Certificate
	template.NotAfter = time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &template, a.above.Certificate, a.key.Public(), a.above.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject, err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back the certificate of %s: %w", template.Subject, err)
	}
	return &Authority{Certificate: signed, above: a.above, key: a.key}, nil
}

// Plugged is the content of the secret that makes istiod sign by this authority and has workloads trust
// the roots, in their order.
func (a *Authority) Plugged(roots ...*Authority) (map[string][]byte, error) {
	key, err := keyPEM(a.key)
	if err != nil {
		return nil, err
	}
	var trusted []byte
	for _, root := range roots {
		trusted = append(trusted, encode(root.Certificate)...)
	}
	return map[string][]byte{
		SignerCertificate: encode(a.Certificate),
		SignerKey:         key,
		SignerChain:       a.chain(),
		RootCertificates:  trusted,
	}, nil
}

// WithKeyOf is the content of such a secret with the key of another authority in place of its own.
func WithKeyOf(plugged map[string][]byte, other *Authority) (map[string][]byte, error) {
	key, err := keyPEM(other.key)
	if err != nil {
		return nil, err
	}
	mixed := maps.Clone(plugged)
	mixed[SignerKey] = key
	return mixed, nil
}

// Workload makes what a workload of the mesh identifies itself with: its leaf, with the chain up to the root, and
// the leaf's key.
func (a *Authority) Workload(spiffe string) (chain, key []byte, err error) {
	identity, err := url.Parse(spiffe)
	if err != nil {
		return nil, nil, fmt.Errorf("an identity for %s: %w", a.Certificate.Subject, err)
	}
	leaf, leafKey, err := sign(&x509.Certificate{
		URIs:        []*url.URL{identity},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.Certificate, a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(leafKey)
	return append(encode(leaf), a.chain()...), key, err
}

// chain is the authority's own certificate and those above it.
func (a *Authority) chain() []byte {
	text := encode(a.Certificate)
	if a.above != nil {
		text = append(text, a.above.chain()...)
	}
	return text
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
