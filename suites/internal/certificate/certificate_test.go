package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	host  = "www.example.com"
	alias = "web.example.com"
)

func TestIssuedCertificateIsGoodForItsHostsOnly(t *testing.T) {
	issued, err := Issue(host, alias)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{host, alias} {
		if _, err := issued.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: issued.Roots}); err != nil {
			t.Errorf("refused for its host %s: %v", name, err)
		}
	}
	if _, err := issued.Leaf.Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: issued.Roots}); err == nil {
		t.Error("good for another host")
	}
	other, err := Issue(host, alias)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issued.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: other.Roots}); err == nil {
		t.Error("good by another run's authority")
	}
}

func TestSecretHoldsCertificateAndKey(t *testing.T) {
	issued, err := Issue(host, alias)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := issued.secret("ns", "web-certificate")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil || !pair.Leaf.Equal(issued.Leaf) {
		t.Errorf("key and certificate do not belong together: %v", err)
	}
	if secret.Type != corev1.SecretTypeTLS || secret.Namespace != "ns" || secret.Name != "web-certificate" {
		t.Errorf("secret %s/%s of type %s", secret.Namespace, secret.Name, secret.Type)
	}
}

func TestACertificateNeedsAHost(t *testing.T) {
	if _, err := Issue(); err == nil {
		t.Error("a certificate for no host")
	}
}
