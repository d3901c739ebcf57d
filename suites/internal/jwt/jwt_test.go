package jwt

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

// verify reads a token as somebody does who knows only the issuer's JWKS.
func verify(t *testing.T, jwks, token string) (map[string]any, error) {
	t.Helper()
	decode := func(text string) []byte {
		content, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return content
	}
	var set struct {
		Keys []struct{ Kty, Alg, N, E string }
	}
	if err := json.Unmarshal([]byte(jwks), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s: %d keys, %v", jwks, len(set.Keys), err)
	}
	key := set.Keys[0]
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts of %q", len(parts), token)
	}
	var header struct{ Alg, Typ string }
	if err := json.Unmarshal(decode(parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	if key.Kty != "RSA" || header.Alg != "RS256" || header.Typ != "JWT" || key.Alg != header.Alg {
		t.Errorf("header %+v, key %+v", header, key)
	}
	var claims map[string]any
	if err := json.Unmarshal(decode(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(key.N)), E: int(new(big.Int).SetBytes(decode(key.E)).Int64())}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return claims, rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], decode(parts[2]))
}

func issuer(t *testing.T, name string) *Issuer {
	t.Helper()
	made, err := NewIssuer(name)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestATokenVerifiesByItsIssuersKeyOnly(t *testing.T) {
	right, wrong := issuer(t, "issuer@example.com"), issuer(t, "issuer@example.com")
	token, err := right.Token(Claims{"sub": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, right.JWKS(), token); err != nil {
		t.Errorf("by the issuer's key: %v", err)
	}
	if _, err := verify(t, wrong.JWKS(), token); err == nil {
		t.Error("by another key it verifies too")
	}
	header, rest, _ := strings.Cut(token, ".")
	_, signature, _ := strings.Cut(rest, ".")
	forged := header + "." + encode([]byte(`{"sub":"mallory"}`)) + "." + signature
	if _, err := verify(t, right.JWKS(), forged); err == nil {
		t.Error("with other claims it verifies too")
	}
}

func TestClaimsAreAsGivenAndCompleted(t *testing.T) {
	made := issuer(t, "issuer@example.com")
	for name, c := range map[string]struct {
		claims  Claims
		iss     string
		expired bool
	}{
		"by default":         {Claims{"sub": "alice"}, "issuer@example.com", false},
		"expired":            {Expired(), "issuer@example.com", true},
		"in another's name":  {Claims{"iss": "other@example.com"}, "other@example.com", false},
		"without any claims": {nil, "issuer@example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := made.Token(c.claims)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := verify(t, made.JWKS(), token)
			if err != nil {
				t.Fatal(err)
			}
			if claims["iss"] != c.iss {
				t.Errorf("iss is %v", claims["iss"])
			}
			expiry, ok := claims["exp"].(float64)
			if !ok || time.Unix(int64(expiry), 0).Before(time.Now()) != c.expired {
				t.Errorf("exp is %v", claims["exp"])
			}
		})
	}
}

func TestClaimsThatCannotBeEncodedAreAnError(t *testing.T) {
	if _, err := issuer(t, "issuer@example.com").Token(Claims{"sub": func() {}}); err == nil {
		t.Error("a function became a claim")
	}
}
