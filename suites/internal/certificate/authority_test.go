package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

const identity = "spiffe://cluster.local/ns/shop/sa/web"

func authorities(t *testing.T, name string) (root, signer *Authority) {
	t.Helper()
	root, err := NewRoot(name + "-root")
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = root.Signer(name + "-signer"); err != nil {
		t.Fatal(err)
	}
	return root, signer
}

func pool(text []byte) *x509.CertPool {
	made := x509.NewCertPool()
	made.AppendCertsFromPEM(text)
	return made
}

func TestAWorkloadIsTrustedByTheRootOfItsSignerOnly(t *testing.T) {
	_, signer := authorities(t, "old")
	otherRoot, _ := authorities(t, "new")
	chain, key, err := signer.Workload(identity)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Leaf.URIs) != 1 || pair.Leaf.URIs[0].String() != identity {
		t.Errorf("identity %v, want %s", pair.Leaf.URIs, identity)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		options := x509.VerifyOptions{
			Roots: pool(encode(signer.above.Certificate)), Intermediates: pool(chain), KeyUsages: []x509.ExtKeyUsage{usage},
		}
		if _, err := pair.Leaf.Verify(options); err != nil {
			t.Errorf("refused under its root: %v", err)
		}
		options.Roots = pool(encode(otherRoot.Certificate))
		if _, err := pair.Leaf.Verify(options); err == nil {
			t.Error("good under another root")
		}
	}
}

func TestPluggedHoldsASignerWithItsKeyAndTheRoots(t *testing.T) {
	oldRoot, oldSigner := authorities(t, "old")
	newRoot, newSigner := authorities(t, "new")
	alone, err := oldSigner.Plugged(oldRoot)
	if err != nil {
		t.Fatal(err)
	}
	both, err := newSigner.Plugged(oldRoot, newRoot)
	if err != nil {
		t.Fatal(err)
	}
	// istiod takes a bundle for a change of its own only if one holds the other, byte for byte.
	if !bytes.Contains(both[RootCertificates], alone[RootCertificates]) || bytes.Equal(both[RootCertificates], alone[RootCertificates]) {
		t.Error("both roots do not hold the bytes of the old one and more")
	}
	if _, err := tls.X509KeyPair(both[SignerCertificate], both[SignerKey]); err != nil {
		t.Errorf("signer and key do not belong together: %v", err)
	}
	if count := bytes.Count(both[SignerChain], []byte("BEGIN CERTIFICATE")); count != 2 {
		t.Errorf("%d certificates in the chain, want the signer's and its root's", count)
	}
	mixed, err := WithKeyOf(both, oldSigner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(mixed[SignerCertificate], mixed[SignerKey]); err == nil {
		t.Error("signer and another's key belong together")
	}
	if _, err := tls.X509KeyPair(both[SignerCertificate], both[SignerKey]); err != nil {
		t.Errorf("the secret that was to be copied has changed: %v", err)
	}
}

func TestExpiredDiffersFromItsSignerInTimeOnly(t *testing.T) {
	root, signer := authorities(t, "old")
	expired, err := signer.Expired()
	if err != nil {
		t.Fatal(err)
	}
	now := x509.VerifyOptions{Roots: pool(encode(root.Certificate)), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if _, err := signer.Certificate.Verify(now); err != nil {
		t.Errorf("the signer is refused: %v", err)
	}
	if _, err := expired.Certificate.Verify(now); err == nil {
		t.Error("good after its time")
	}
	before := now
	before.CurrentTime = time.Now().Add(-2 * time.Hour)
	if _, err := expired.Certificate.Verify(before); err != nil {
		t.Errorf("refused within its time: %v", err)
	}
	plugged, err := expired.Plugged(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(plugged[SignerCertificate], plugged[SignerKey]); err != nil {
		t.Errorf("certificate and key do not belong together: %v", err)
	}
	block, _ := pem.Decode(plugged[SignerChain])
	if block == nil || !bytes.Equal(block.Bytes, expired.Certificate.Raw) {
		t.Error("the chain does not begin with the expired certificate")
	}
	if _, err := root.Expired(); err == nil {
		t.Error("a root has no one above who could sign it anew")
	}
}
