// Package certificate makes the certificates of servers for one run: they must not expire in a repository.
package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
)

// validity spans any run, and clocks of machines that disagree.
const validity = 24 * time.Hour

// Certificate is a server's certificate, made by an authority of its own.
type Certificate struct {
	Leaf *x509.Certificate
	// Roots are who has to be trusted to take the certificate.
	Roots *x509.CertPool

	key *ecdsa.PrivateKey
}

// Issue makes a certificate for hosts; the first is its common name.
func Issue(hosts ...string) (Certificate, error) {
	if len(hosts) == 0 {
		return Certificate{}, errors.New("a certificate for no host")
	}
	authority, authorityKey, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "mesh-conformance"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return Certificate{}, err
	}
	leaf, key, err := sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		DNSNames:    hosts,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, authorityKey)
	if err != nil {
		return Certificate{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return Certificate{Leaf: leaf, Roots: roots, key: key}, nil
}

// sign completes a template with a new key and signs it, by itself without a parent.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of %s: %w", template.Subject, err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("draw the serial number of %s: %w", template.Subject, err)
	}
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-validity), now.Add(validity)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject, err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read back the certificate of %s: %w", template.Subject, err)
	}
	return signed, key, nil
}

// secret is the certificate as a Gateway's certificateRefs take it.
func (c Certificate) secret(namespace, name string) (*corev1.Secret, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", c.Leaf.Subject, err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		},
	}, nil
}

// Store writes the certificate to the cluster.
func (c Certificate) Store(ctx context.Context, client ctrl.Client, namespace, name string) error {
	secret, err := c.secret(namespace, name)
	if err != nil {
		return err
	}
	subject := c.Leaf.Subject.CommonName
	names := "DNS:" + strings.Join(c.Leaf.DNSNames, ",DNS:")
	evidence.Replay("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=%s -addext subjectAltName=%s -keyout %s.key -out %s.crt",
		subject, names, name, name)
	evidence.Replay("kubectl create secret tls %s -n %s --cert %s.crt --key %s.key", name, namespace, name, name)
	if err := client.Create(ctx, secret); err != nil {
		return fmt.Errorf("store certificate %s/%s: %w", namespace, name, err)
	}
	return nil
}
