package filterorder

import (
	"context"
	"fmt"
	"net/http"

	jwtauthnv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1beta1 "istio.io/client-go/pkg/apis/security/v1beta1"

	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/standin"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// token is what a request presents.
type token string

const (
	noToken token = ""
	// good is of the issuer that the sidecar knows.
	good token = "good"
	// forged is of another that takes its name.
	forged token = "forged"
)

// authenticate has a proxy verify the tokens of an issuer, by a fixture of one RequestAuthentication, waits until it knows
// the keys and gives the headers that present tokens.
func authenticate(ctx context.Context, at guard, fixture string) map[token]http.Header {
	GinkgoHelper()
	presented := map[token]http.Header{}
	issuers := map[token]*jwt.Issuer{}
	for _, kind := range []token{good, forged} {
		issuer, err := jwt.NewIssuer("issuer.filterorder.internal")
		Expect(err).NotTo(HaveOccurred())
		signed, err := issuer.Token(jwt.Claims{"sub": "caller"})
		Expect(err).NotTo(HaveOccurred())
		issuers[kind], presented[kind] = issuer, http.Header{"Authorization": {"Bearer " + signed}}
	}
	known := issuers[good].JWKS()

	standin.Apply(ctx, at.held.Namespace, at.held)
	kube.Apply(ctx, at.held.Namespace, fixture)
	kube.Change(ctx, at.held.Namespace, "tokens", func(found *securityv1beta1.RequestAuthentication) {
		found.Spec.JwtRules[0].Jwks = known
	})
	Eventually(ctx, at.keys, timing.Push(), timing.Poll).
		Should(And(Not(BeEmpty()), HaveEach(known)), "keys that %s verifies tokens with", at.name)
	return presented
}

// keys are the sets of keys that a proxy verifies the tokens of requests with, chain by chain.
func (g guard) keys(ctx context.Context) ([]string, error) {
	chains, err := g.chains(ctx)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, chain := range chains {
		filter, found := envoy.Named(chain.HTTP, "envoy.filters.http.jwt_authn")
		if !found {
			return nil, nil
		}
		var config jwtauthnv3.JwtAuthentication
		if err := filter.Config.UnmarshalTo(&config); err != nil {
			return nil, fmt.Errorf("filter chain %q, filter %s: %w", chain.Name, filter.Name, err)
		}
		for _, provider := range config.GetProviders() {
			all = append(all, provider.GetLocalJwks().GetInlineString())
		}
	}
	return all, nil
}
