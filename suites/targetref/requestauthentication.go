package targetref

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/standin"
)

// ofRequestAuthentications leaves the site without any: the stand-in goes after them.
func ofRequestAuthentications(s *site) {
	var issuer, other *jwt.Issuer
	alice := jwt.Claims{"sub": "alice", "aud": "bookstore"}

	evidence.BeforeAll(func(ctx SpecContext) {
		standin.Apply(ctx, s.ns, s.a.proxy, s.b.proxy, s.backend.proxy)
		// The namesake, too, must be able to take what it is not to get: it would refuse the original and look untouched.
		standin.Apply(ctx, s.elsewhere, s.namesake.proxy)
		issuer, other = newIssuer(issuerName), newIssuer(otherIssuerName)
	})

	// forged bears a token of the right issuer's name with the signature of somebody else's key.
	forged := func() http.Header {
		return bearing(newIssuer(issuerName), alice)
	}

	Context("for Gateway gw-a", func() {
		var landed landing
		evidence.BeforeAll(func(ctx SpecContext) {
			kube.Apply(ctx, s.ns, "targetref/jwt.yaml")
			trust(ctx, s.ns, "jwt", []*jwt.Issuer{issuer}, s.a)
			landed.seen()
		})

		DescribeTable("judges tokens at the Gateway that its targetRef names:",
			func(ctx SpecContext, present func() http.Header, answered types.GomegaMatcher) {
				Expect(s.a.measure(ctx, "/", present())).To(answered)
			},
			Entry("a good one is let in", spec.ID("targetref.requestauthentication.good-token"),
				Label(catalogue.Smoke),
				func() http.Header { return bearing(issuer, alice) }, match.HaveStatus(200)),
			Entry("none is let in, since that is the AuthorizationPolicy's to decide", spec.ID("targetref.requestauthentication.no-token"),
				func() http.Header { return nil }, match.HaveStatus(200)),
			Entry("one signed with another key is refused", spec.ID("targetref.requestauthentication.other-key"),
				Label(catalogue.Smoke),
				forged, match.BeRefused(401, "Jwt verification fails")),
			Entry("one of another issuer is refused", spec.ID("targetref.requestauthentication.other-issuer"),
				func() http.Header { return bearing(other, alice) }, match.BeRefused(401, "Jwt issuer is not configured")),
			Entry("one for another audience is refused", spec.ID("targetref.requestauthentication.other-audience"),
				func() http.Header { return bearing(issuer, jwt.Claims{"sub": "alice", "aud": "library"}) },
				match.BeRefused(403, "Audiences in Jwt are not allowed")),
			Entry("an expired one is refused", spec.ID("targetref.requestauthentication.expired"),
				func() http.Header { return bearing(issuer, jwt.Expired()) }, match.BeRefused(401, "Jwt is expired")),
			Entry("what is no token is refused", spec.ID("targetref.requestauthentication.no-jwt"),
				func() http.Header { return jwt.Bearer("token") }, match.BeRefused(401, "Jwt is not in the form of Header.Payload.Signature")),
		)

		DescribeTable("touches no neighbour:",
			func(ctx SpecContext, neighbour func() entrance) {
				stay(ctx, landed.at, haveNoFilter(jwtAuthn), neighbour())
				Expect(neighbour().measure(ctx, "/", forged())).To(match.HaveStatus(200))
			},
			Entry("the sibling Gateway of the namespace lets in bad tokens", spec.ID("targetref.requestauthentication.not-sibling"),
				Label(catalogue.Smoke), func() entrance { return s.b }),
			Entry("the Gateway of the same name in another namespace lets in bad tokens", spec.ID("targetref.requestauthentication.not-namesake"),
				func() entrance { return s.namesake }),
			Entry("the backend behind the Gateway responds with 200 to a client in the cluster that sends an invalid token", spec.ID("targetref.requestauthentication.not-backend"),
				func() entrance { return s.backend }),
		)

		It("lets an AuthorizationPolicy with the same targetRef demand a principal", spec.ID("targetref.requestauthentication.policy-demands-principal"), func(ctx SpecContext) {
			kube.Apply(ctx, s.ns, "targetref/require-principal.yaml")
			DeferCleanup(func(ctx SpecContext) {
				kube.Remove[securityv1.AuthorizationPolicy](ctx, s.ns, "require-principal")
				s.a.await(ctx, haveNoFilter(rbac))
			})
			s.a.await(ctx, haveFilter(rbac))
			Expect(s.a.measure(ctx, "/")).To(match.BeDenied())
			Expect(s.a.measure(ctx, "/", bearing(issuer, alice))).To(match.HaveStatus(200))
			Expect(s.a.measure(ctx, "/", bearing(issuer, jwt.Claims{"sub": "bob", "aud": "bookstore"}))).To(match.BeDenied())
			stay(ctx, time.Now(), haveNoFilter(rbac), s.b)
			Expect(s.b.measure(ctx, "/")).To(match.HaveStatus(200))
		})

		It("ends with its deletion", spec.ID("targetref.requestauthentication.ends-with-deletion"), func(ctx SpecContext) {
			kube.Remove[securityv1.RequestAuthentication](ctx, s.ns, "jwt")
			s.a.await(ctx, haveNoFilter(jwtAuthn))
			Expect(s.a.measure(ctx, "/", forged())).To(match.HaveStatus(200))
		})
	})

	It("reaches a Gateway by a selector for its pods, unless that is switched off", spec.ID("targetref.requestauthentication.selector-reaches-gateway"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "targetref/jwt-selector.yaml")
		DeferCleanup(func(ctx SpecContext) {
			kube.Remove[securityv1.RequestAuthentication](ctx, s.ns, "jwt-selector")
			s.a.await(ctx, haveNoFilter(jwtAuthn))
		})
		trust(ctx, s.ns, "jwt-selector", []*jwt.Issuer{other}, s.a)
		Expect(s.a.measure(ctx, "/", forged())).To(match.BeRefused(401, "Jwt issuer is not configured"))
		stay(ctx, time.Now(), haveNoFilter(jwtAuthn), s.b)
		Expect(s.b.measure(ctx, "/", forged())).To(match.HaveStatus(200))
	})

	// The control: what the targetRef keeps away from the neighbours would reach each of them.
	It("reaches every proxy of its namespace where it has no targetRef", spec.ID("targetref.requestauthentication.whole-namespace-without"), func(ctx SpecContext) {
		kube.Apply(ctx, s.ns, "standin/jwt.yaml")
		trust(ctx, s.ns, "jwt", []*jwt.Issuer{issuer, other}, s.a, s.b, s.backend)
		for _, member := range []entrance{s.a, s.b, s.backend} {
			Expect(member.measure(ctx, "/", forged())).To(match.BeRefused(401, "Jwt verification fails"))
		}
		stay(ctx, time.Now(), haveNoFilter(jwtAuthn), s.namesake)
		Expect(s.namesake.measure(ctx, "/", forged())).To(match.HaveStatus(200))
	})
}
