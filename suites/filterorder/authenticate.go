package filterorder

import (
	"context"
	"fmt"

	jwtauthnv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1beta1 "istio.io/client-go/pkg/apis/security/v1beta1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
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

// authenticate has a workload's sidecar verify the tokens of an issuer, waits until it knows the keys and
// gives tokens to present.
func authenticate(ctx context.Context, workload *echo.Workload) map[token]echo.Option {
	GinkgoHelper()
	presented := map[token]echo.Option{}
	issuers := map[token]*jwt.Issuer{}
	for _, kind := range []token{good, forged} {
		issuer, err := jwt.NewIssuer("issuer.filterorder.internal")
		Expect(err).NotTo(HaveOccurred())
		signed, err := issuer.Token(jwt.Claims{"sub": "caller"})
		Expect(err).NotTo(HaveOccurred())
		issuers[kind], presented[kind] = issuer, echo.Header("Authorization", "Bearer "+signed)
	}
	known := issuers[good].JWKS()

	standin.Apply(ctx, workload.Namespace, sidecar.Of(workload))
	kube.Apply(ctx, workload.Namespace, "filterorder/tokens.yaml")
	kube.Change(ctx, workload.Namespace, "tokens", func(found *securityv1beta1.RequestAuthentication) {
		found.Spec.JwtRules[0].Jwks = known
	})
	Eventually(ctx, keys, timing.Push, timing.Poll).WithArguments(workload).
		Should(And(Not(BeEmpty()), HaveEach(known)), "keys that %s's sidecar verifies tokens with", workload.Name)
	return presented
}

// keys are the sets of keys that a sidecar verifies the tokens of requests with, chain by chain.
func keys(ctx context.Context, workload *echo.Workload) ([]string, error) {
	chains, err := echoChains(ctx, workload)
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
