// Package jwt issues JSON Web Tokens with keys that are made at run time: a repository must hold no key, and
// no token that expires in it.
package jwt

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"time"
)

const (
	bits = 2048
	// lifetime is a day, so that whoever reads a report can repeat its requests.
	lifetime = 24 * time.Hour
)

// Claims are what a token says, by their registered names or any others.
type Claims map[string]any

// Issuer signs tokens, by RS256, with a key of its own.
type Issuer struct {
	// Name is the claim iss of its tokens.
	Name string
	key  *rsa.PrivateKey
}

// NewIssuer makes an issuer and its key. Issuers of one name have different keys.
func NewIssuer(name string) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	return &Issuer{Name: name, key: key}, nil
}

// JWKS is the set of the issuer's public keys. They have no id, by which a token of somebody else's key would be
// refused before its signature is looked at.
func (i *Issuer) JWKS() string {
	exponent := big.NewInt(int64(i.key.E)).Bytes()
	return fmt.Sprintf(`{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","n":%q,"e":%q}]}`, encode(i.key.N.Bytes()), encode(exponent))
}

// Token signs claims. Those of issue and expiry are added where they are not given.
func (i *Issuer) Token(claims Claims) (string, error) {
	now := time.Now()
	all := Claims{"iss": i.Name, "iat": now.Unix(), "exp": now.Add(lifetime).Unix()}
	maps.Copy(all, claims)
	body, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encode the claims of a token by %s: %w", i.Name, err)
	}
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token by %s: %w", i.Name, err)
	}
	return signed + "." + encode(signature), nil
}

// Expired is the claim of a token whose time is up, by more than what verifiers allow clocks to differ.
func Expired() Claims {
	return Claims{"exp": time.Now().Add(-lifetime).Unix()}
}

// Bearer presents a token with a request.
func Bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

func encode(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }
