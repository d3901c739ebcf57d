package targetref

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/standin"
)

// ofStandIn leaves the site without its policies.
func ofStandIn(s *site) {
	var atGateway, atSidecar entrance
	var issuer, other *jwt.Issuer

	evidence.BeforeAll(func(ctx SpecContext) {
		atGateway, atSidecar = s.a, s.backend
		DeferCleanup(func(ctx SpecContext) {
			s.clear(ctx, &securityv1.AuthorizationPolicy{}, filters, haveNoFilter(rbac), s.all()...)
		})
		standin.Apply(ctx, s.ns, s.a.proxy, s.b.proxy, s.backend.proxy)
		issuer, other = newIssuer(issuerName), newIssuer(otherIssuerName)
		kube.Apply(ctx, s.ns, "standin/jwt.yaml")
		kube.Apply(ctx, s.ns, "standin/rules.yaml")
		trust(ctx, s.ns, "jwt", []*jwt.Issuer{issuer, other}, atGateway, atSidecar)
		for _, e := range []entrance{atGateway, atSidecar} {
			e.await(ctx, And(haveFilter(standin.Filter), haveFilter(rbac)))
		}
	})

	of := func(by **jwt.Issuer, claims jwt.Claims) func() http.Header {
		return func() http.Header { return bearing(*by, claims) }
	}
	none := func() http.Header { return nil }
	type tokens map[string]func() http.Header

	// Each rule of standin/rules.yaml has a path of its own. The gateway hands tokens on: behind it the sidecar
	// decides again, so that what the gateway refuses must stop there.
	DescribeTable("lets rules decide by what the token says:",
		func(ctx SpecContext, path string, right, wrong tokens) {
			for name, present := range right {
				By("presenting " + name)
				Expect(atGateway.measure(ctx, path, present())).To(match.HaveStatus(200), "at the gateway, %s", name)
				Expect(atSidecar.measure(ctx, path, present())).To(match.HaveStatus(200), "at the sidecar, %s", name)
			}
			for name, present := range wrong {
				By("presenting " + name)
				answers := atGateway.measure(ctx, path, present())
				Expect(answers).To(And(match.BeDenied(), match.StopThere()), "at the gateway, %s", name)
				Expect(atSidecar.measure(ctx, path, present())).To(match.BeDenied(), "at the sidecar, %s", name)
			}
		},
		Entry("without a rule about tokens, any will do", spec.ID("targetref.requestauthentication.standin-no-rule"), "/open", tokens{
			"no token": none, "a token": of(&issuer, jwt.Claims{"sub": "alice"}),
		}, tokens{}),
		Entry("requestPrincipals, by issuer and subject", spec.ID("targetref.requestauthentication.standin-principal"), "/principal", tokens{
			"the principal":                       of(&issuer, jwt.Claims{"sub": "alice"}),
			"the principal, with claims to spare": of(&issuer, jwt.Claims{"sub": "alice", "aud": "library", "level": 3, "realm": jwt.Claims{"role": "author"}}),
		}, tokens{
			"another subject":                 of(&issuer, jwt.Claims{"sub": "bob"}),
			"the subject in another issuer's": of(&other, jwt.Claims{"sub": "alice"}),
			"no subject":                      of(&issuer, nil),
			"no token":                        none,
		}),
		Entry("requestPrincipals, any", spec.ID("targetref.requestauthentication.standin-any-principal"), "/any-principal", tokens{
			"one of the one issuer":   of(&issuer, jwt.Claims{"sub": "alice"}),
			"one of the other issuer": of(&other, jwt.Claims{"sub": "bob"}),
		}, tokens{"no subject": of(&issuer, nil), "no token": none}),
		Entry("notRequestPrincipals", spec.ID("targetref.requestauthentication.standin-no-principal"), "/no-principal", tokens{
			"no token": none, "no subject": of(&issuer, nil),
		}, tokens{"a principal": of(&issuer, jwt.Claims{"sub": "alice"})}),
		Entry("request.auth.audiences", spec.ID("targetref.requestauthentication.standin-audience"), "/audience", tokens{
			"the audience":         of(&issuer, jwt.Claims{"aud": "bookstore"}),
			"the audience, listed": of(&issuer, jwt.Claims{"aud": []string{"bookstore", "library"}}),
		}, tokens{
			"another audience": of(&issuer, jwt.Claims{"aud": "library"}),
			"no audience":      of(&issuer, jwt.Claims{"sub": "bookstore"}),
			"no token":         none,
		}),
		Entry("request.auth.presenter", spec.ID("targetref.requestauthentication.standin-presenter"), "/presenter", tokens{
			"the presenter": of(&issuer, jwt.Claims{"azp": "storefront"}),
		}, tokens{
			"another presenter": of(&issuer, jwt.Claims{"azp": "warehouse"}),
			"no presenter":      of(&issuer, jwt.Claims{"aud": "storefront"}),
			"no token":          none,
		}),
		Entry("request.auth.claims, one or a list", spec.ID("targetref.requestauthentication.standin-claim"), "/claim", tokens{
			"the claim":           of(&issuer, jwt.Claims{"team": "payments"}),
			"the claim in a list": of(&issuer, jwt.Claims{"team": []string{"billing", "payments"}}),
			"the claim in words":  of(&issuer, jwt.Claims{"team": "billing payments"}),
		}, tokens{
			"another claim":    of(&issuer, jwt.Claims{"team": "billing"}),
			"others in a list": of(&issuer, jwt.Claims{"team": []string{"billing", "payments-on-call"}}),
			"an empty list":    of(&issuer, jwt.Claims{"team": []string{}}),
			"a number":         of(&issuer, jwt.Claims{"team": 1}),
			"the claim deeper": of(&issuer, jwt.Claims{"team": jwt.Claims{"team": "payments"}}),
			"no claim":         of(&issuer, jwt.Claims{"sub": "payments"}),
			"no token":         none,
		}),
		Entry("request.auth.claims, nested", spec.ID("targetref.requestauthentication.standin-nested-claim"), "/nested-claim", tokens{
			"the claim":           of(&issuer, jwt.Claims{"realm": jwt.Claims{"role": "editor"}}),
			"the claim in a list": of(&issuer, jwt.Claims{"realm": jwt.Claims{"role": []string{"author", "editor"}, "level": 3}}),
		}, tokens{
			"another claim":          of(&issuer, jwt.Claims{"realm": jwt.Claims{"role": "author"}}),
			"the claim less deep":    of(&issuer, jwt.Claims{"role": "editor"}),
			"the claim's name alone": of(&issuer, jwt.Claims{"realm": "editor"}),
			"no token":               none,
		}),
	)
}
