package gatewaydeploy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
)

// validity spans any run, and clocks of machines that disagree.
const validity = 24 * time.Hour

// certificate is a server's certificate, made for one run by an authority of its own.
type certificate struct {
	leaf  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

// issue makes a certificate for a host.
func issue(host string) (certificate, error) {
	authority, authorityKey, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "mesh-conformance"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return certificate{}, err
	}
	leaf, key, err := sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: host},
		DNSNames:    []string{host},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, authorityKey)
	if err != nil {
		return certificate{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return certificate{leaf: leaf, key: key, roots: roots}, nil
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
func (c certificate) secret(namespace, name string) (*corev1.Secret, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", c.leaf.Subject, err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf.Raw}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		},
	}, nil
}

// store writes the certificate to the cluster.
func (c certificate) store(ctx context.Context, client ctrl.Client, namespace, name string) error {
	secret, err := c.secret(namespace, name)
	if err != nil {
		return err
	}
	subject := c.leaf.Subject.CommonName
	evidence.Replay("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=%s -addext subjectAltName=DNS:%s -keyout %s.key -out %s.crt",
		subject, subject, name, name)
	evidence.Replay("kubectl create secret tls %s -n %s --cert %s.crt --key %s.key", name, namespace, name, name)
	if err := client.Create(ctx, secret); err != nil {
		return fmt.Errorf("store certificate %s/%s: %w", namespace, name, err)
	}
	return nil
}
