package targetref

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"

	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/xds/envoy"
)

// jwtAuthn is the filter that verifies tokens.
const jwtAuthn = "envoy.filters.http.jwt_authn"

// The issuers that the fixtures name.
const (
	issuerName      = "issuer@example.com"
	otherIssuerName = "other-issuer@example.com"
)

// newIssuer makes an issuer with a key of its own.
func newIssuer(name string) *jwt.Issuer {
	GinkgoHelper()
	made, err := jwt.NewIssuer(name)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// bearing presents a token that the issuer signs with the claims.
func bearing(issuer *jwt.Issuer, claims jwt.Claims) http.Header {
	GinkgoHelper()
	token, err := issuer.Token(claims)
	Expect(err).NotTo(HaveOccurred())
	return jwt.Bearer(token)
}

// trust gives a RequestAuthentication the keys of its issuers and waits until the entrances verify by them.
func trust(ctx context.Context, namespace, name string, issuers []*jwt.Issuer, entrances ...entrance) {
	GinkgoHelper()
	var keys []string
	kube.Change(ctx, namespace, name, func(found *securityv1.RequestAuthentication) {
		for _, rule := range found.Spec.JwtRules {
			for _, issuer := range issuers {
				if rule.Issuer == issuer.Name {
					rule.Jwks = issuer.JWKS()
					keys = append(keys, keyOf(rule.Issuer, rule.Jwks))
				}
			}
		}
	})
	Expect(keys).To(HaveLen(len(issuers)), "rules of RequestAuthentication %s for its issuers", name)
	if len(entrances) > 0 {
		trusted.await(ctx, match.HoldOnly(keys...), entrances...)
		filters.record(ctx, entrances)
	}
}

// trusted are the keys by which tokens are verified.
var trusted = reading("trusted keys", keysOf)

// keyOf names an issuer's set of keys as briefly as two can be told apart.
func keyOf(issuer, jwks string) string {
	return fmt.Sprintf("%s %x", issuer, sha256.Sum256([]byte(jwks)))[:len(issuer)+9]
}

// keysOf are the sets of keys of those filter chains that have an HTTP connection manager.
func keysOf(chains []envoy.Chain) ([][]string, error) {
	var sets [][]string
	for _, chain := range chains {
		if len(chain.HTTP) == 0 {
			continue
		}
		held := []string{}
		if filter, found := envoy.Named(chain.HTTP, jwtAuthn); found {
			var config jwtv3.JwtAuthentication
			if err := filter.Config.UnmarshalTo(&config); err != nil {
				return nil, fmt.Errorf("filter %s of chain %s: %w", jwtAuthn, chain.Name, err)
			}
			for _, provider := range config.GetProviders() {
				held = append(held, keyOf(provider.GetIssuer(), provider.GetLocalJwks().GetInlineString()))
			}
			slices.Sort(held)
		}
		sets = append(sets, held)
	}
	return sets, nil
}
