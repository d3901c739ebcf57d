package gatewaydeploy

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestIssuedCertificateIsGoodForItsHostOnly(t *testing.T) {
	issued, err := issue(host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issued.leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: issued.roots}); err != nil {
		t.Errorf("refused for its host: %v", err)
	}
	if _, err := issued.leaf.Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: issued.roots}); err == nil {
		t.Error("good for another host")
	}
	other, err := issue(host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issued.leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: other.roots}); err == nil {
		t.Error("good by another run's authority")
	}
}

func TestSecretHoldsCertificateAndKey(t *testing.T) {
	issued, err := issue(host)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := issued.secret("ns", "web-certificate")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil || !pair.Leaf.Equal(issued.leaf) {
		t.Errorf("key and certificate do not belong together: %v", err)
	}
	if secret.Type != corev1.SecretTypeTLS || secret.Namespace != "ns" || secret.Name != "web-certificate" {
		t.Errorf("secret %s/%s of type %s", secret.Namespace, secret.Name, secret.Type)
	}
}
