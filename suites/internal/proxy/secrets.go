package proxy

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// The secrets every workload's proxy asks its agent for.
const (
	// SecretRoots holds the trusted roots.
	SecretRoots = "ROOTCA"
	// SecretLeaf holds the workload's own certificate, chain included.
	SecretLeaf = "default"
)

// Secret is one TLS secret in use, without its key: Envoy does not show it.
type Secret struct {
	Name string
	// Certificates are the trusted roots, or a chain that begins with the leaf.
	Certificates []*x509.Certificate
}

// Secrets are the discovered secrets in use, by name.
func (p Proxy) Secrets(ctx context.Context) (map[string]Secret, error) {
	dump, err := p.ConfigDump(ctx, "dynamic_active_secrets")
	if err != nil {
		return nil, err
	}
	secrets := map[string]Secret{}
	for _, section := range dump.GetConfigs() {
		var dynamic adminv3.SecretsConfigDump_DynamicSecret
		if err := unpack(section, &dynamic); err != nil {
			return nil, fmt.Errorf("secrets of %s: %w", p, err)
		}
		var held tlsv3.Secret
		if err := unpack(dynamic.GetSecret(), &held); err != nil {
			return nil, fmt.Errorf("secret %s of %s: %w", dynamic.GetName(), p, err)
		}
		text := inline(held.GetTlsCertificate().GetCertificateChain())
		if roots := inline(held.GetValidationContext().GetTrustedCa()); len(roots) > 0 {
			text = roots
		}
		certificates, err := certificates(text)
		if err != nil {
			return nil, fmt.Errorf("secret %s of %s: %w", dynamic.GetName(), p, err)
		}
		secrets[dynamic.GetName()] = Secret{Name: dynamic.GetName(), Certificates: certificates}
	}
	return secrets, nil
}

// Roots are the roots the proxy trusts now.
func (p Proxy) Roots(ctx context.Context) ([]*x509.Certificate, error) {
	return p.certificatesOf(ctx, SecretRoots)
}

// Leaf is the proxy's own certificate; its SerialNumber changes with every renewal.
func (p Proxy) Leaf(ctx context.Context) (*x509.Certificate, error) {
	chain, err := p.certificatesOf(ctx, SecretLeaf)
	if err != nil {
		return nil, err
	}
	return chain[0], nil
}

func (p Proxy) certificatesOf(ctx context.Context, name string) ([]*x509.Certificate, error) {
	secrets, err := p.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	held := secrets[name].Certificates
	if len(held) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in the secret %s", p, name)
	}
	return held, nil
}

// inline gives what is sent inline, as bytes (Istio's agent) or as text.
func inline(source *corev3.DataSource) []byte {
	if text := source.GetInlineString(); text != "" {
		return []byte(text)
	}
	return source.GetInlineBytes()
}

func certificates(text []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return found, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
}
