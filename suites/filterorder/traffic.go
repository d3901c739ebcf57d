package filterorder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
)

// requests is how many of a kind are sent: the outcome does not depend on chance.
const requests = 5

// What requests differ in: the policies of fixtures/filterorder/guarded.yaml match by headers.
var (
	asksAuthorizer = echo.Header("x-ext-authz", "yes")
	matchesAudit   = echo.Header("x-audit", "yes")
	matchesDeny    = echo.Header("x-deny", "yes")
	matchesAllow   = echo.Header("x-allow", "yes")
	// allowedByToken are requests that ALLOW lets in only with a principal of a token.
	allowedByToken = echo.Header("x-allow", "token")
)

// The external authorizer answers what the query asks for: passes has it mark what it lets through, refuses
// has it refuse with a status of its own.
const (
	passes  = "?headers=x-ext-authz-answer:passed"
	refuses = "?codes=402:1"
)

// asked is one kind of requests. Each has a path of its own, by which logs are searched.
type asked struct {
	path    string
	token   token
	matches []echo.Option
}

// mark is the header to which plugins add their names, in requests and in responses.
const mark = "X-Wasm"

// outcome is what becomes of requests of a kind.
type outcome struct {
	status int
	// journey is their way by the trace, plugins are those on it by the marks that they leave.
	journey string
	plugins []string
	// authorizer and server say whether the requests came to them.
	authorizer, server bool
}

// The plugins of fixtures/filterorder/marks.yaml that requests pass.
var (
	beforeTokens   = []string{"authn"}
	beforePolicies = []string{"authn", "authz"}
	allPlugins     = []string{"authn", "authz", "stats", "unspecified"}
)

// reversed is the order in which plugins mark an answer: it meets first what the request met last.
func reversed(plugins []string) []string {
	back := slices.Clone(plugins)
	slices.Reverse(back)
	return back
}

var _ = Describe("A request", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.FilterOrder), func() {
	var (
		mesh   map[string]*echo.Workload
		tokens map[token]echo.Option
	)
	const client, server, authorizer = "client", "server", "ext-authz"

	// On a busy machine the first spec takes over 20 s: four pods start, two of them with a sidecar, one of which
	// compiles the plugins' module. All specs share them.
	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "order-traffic", kube.Injected)
		for _, fixture := range []string{"echo/near", "filterorder/ext-authz", "filterorder/trace", "filterorder/guarded", "wasmplugin/modules"} {
			kube.Apply(ctx, ns, fixture+".yaml")
		}
		// A proxy refuses plugins whose module it cannot have.
		Expect(kube.Shared().WaitAvailable(ctx, ns, "modules")).To(Succeed())
		kube.Apply(ctx, ns, "filterorder/marks.yaml")
		mesh = echo.Deploy(ctx, ns, client, server)
		for name, workload := range echo.Await(ctx, ns, authorizer) {
			mesh[name] = workload
		}
		tokens = authenticate(ctx, mesh[server])
		sidecar.AwaitReach(ctx, mesh[client], mesh[server])
		sidecar.AwaitReach(ctx, mesh[server], mesh[client])
		awaitAuthorizer(ctx, mesh[server], mesh[authorizer])
		awaitPlugins(ctx, mesh[server], "http-authn", "http-authz", "http-stats", "http-unspecified")
		// Last, since everything above shows in it.
		awaitFilters(ctx, mesh[server], guardedFilters)
		awaitFilters(ctx, mesh[client], missingFilters)
	})

	DescribeTable("that one filter refuses has passed those before it, and none after:",
		func(ctx SpecContext, asked asked, want outcome) {
			options := slices.Clone(asked.matches)
			if asked.token != noToken {
				options = append(options, tokens[asked.token])
			}
			By("measuring once")
			answers := mesh[client].Measure(ctx, mesh[server].URL(asked.path), requests, options...)
			Expect(answers).To(match.HaveStatus(want.status))
			Expect(answers).To(match.HaveResponseHeader(mark, reversed(want.plugins)...))
			if want.server {
				Expect(answers).To(match.HaveRequestHeader(mark, want.plugins...))
			}

			path := withoutQuery(asked.path)
			Expect(awaitJourneys(ctx, mesh[server], path)).To(Equal(want.journey), "ways of requests for %s", path)
			expectSeen(ctx, mesh[authorizer], path, want.authorizer)
			expectSeen(ctx, mesh[server], path, want.server)
		},
		Entry("CUSTOM refuses before the token is verified",
			asked{"/custom-refuses" + refuses, forged, []echo.Option{asksAuthorizer, matchesAudit, matchesDeny}},
			outcome{402, "CUSTOM matches → ext_authz refuses", nil, true, false}),
		Entry("the token is refused after CUSTOM, before AUDIT and DENY",
			asked{"/token-refused" + passes, forged, []echo.Option{asksAuthorizer, matchesAudit, matchesDeny}},
			outcome{401, "CUSTOM matches → jwt_authn refuses", beforeTokens, true, false}),
		Entry("DENY refuses after CUSTOM, the token and AUDIT, before ALLOW",
			asked{"/deny-refuses" + passes, good, []echo.Option{asksAuthorizer, matchesAudit, matchesDeny}},
			outcome{403, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → deny refuses", beforePolicies, true, false}),
		Entry("ALLOW refuses after CUSTOM, the token and AUDIT",
			asked{"/allow-refuses" + passes, good, []echo.Option{asksAuthorizer, matchesAudit}},
			outcome{403, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → ALLOW refuses", beforePolicies, true, false}),
		Entry("what all filters let through comes to the server",
			asked{"/nobody-refuses" + passes, good, []echo.Option{asksAuthorizer, matchesAudit, matchesAllow}},
			outcome{200, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → server", allPlugins, true, true}),

		Entry("without a match CUSTOM asks nobody",
			asked{"/custom-silent" + passes, good, []echo.Option{matchesAllow}},
			outcome{200, "jwt_authn → istio_authn → AUDIT → server", allPlugins, false, true}),
		Entry("a forged token is refused without CUSTOM too",
			asked{"/token-alone" + passes, forged, []echo.Option{matchesAllow}},
			outcome{401, "jwt_authn refuses", beforeTokens, false, false}),
		Entry("ALLOW sees what the token said",
			asked{"/allow-by-token" + passes, good, []echo.Option{allowedByToken}},
			outcome{200, "jwt_authn → istio_authn → AUDIT → server", allPlugins, false, true}),
		Entry("ALLOW sees that there was no token",
			asked{"/allow-without-token" + passes, noToken, []echo.Option{allowedByToken}},
			outcome{403, "AUDIT → ALLOW refuses", beforePolicies, false, false}),
	)

	It("bears the mark of CUSTOM when it comes to the server", func(ctx SpecContext) {
		By("measuring once")
		marked := mesh[client].Measure(ctx, mesh[server].URL("/marked"+passes), requests, asksAuthorizer, matchesAllow)
		Expect(marked).To(match.HaveRequestHeader("X-Ext-Authz-Answer", "passed"))

		By("sending what CUSTOM does not match")
		unmarked := mesh[client].Measure(ctx, mesh[server].URL("/unmarked"+passes), requests, matchesAllow)
		Expect(unmarked).To(match.HaveRequestHeader("X-Ext-Authz-Answer"))
	})

	It("is refused for want of a provider only where CUSTOM matches", func(ctx SpecContext) {
		By("measuring once")
		guarded := mesh[server].Measure(ctx, mesh[client].URL("/guarded"), requests)
		free := mesh[server].Measure(ctx, mesh[client].URL("/free"), requests)
		Expect(guarded).To(match.BeDenied())
		Expect(free).To(match.HaveStatus(200))
		Expect(free).To(match.BeServedBy(mesh[client]))
		Expect(awaitJourneys(ctx, mesh[client], "/guarded")).To(Equal("missing refuses for want of a provider"))
		Expect(awaitJourneys(ctx, mesh[client], "/free")).To(Equal("server"))
	})

	It("meets the same order in the proxy itself", func(ctx SpecContext) {
		for workload, want := range map[string][]string{server: guardedFilters, client: missingFilters} {
			steps, err := held(mesh[workload])(ctx)
			Expect(err).NotTo(HaveOccurred())
			evidence.Config("filters of "+workload+"'s sidecar", "%s", strings.Join(steps, " → "))
			Expect(steps).To(run(want), "HTTP filters of %s's sidecar", workload)
		}
	})
})

// awaitJourneys waits until a sidecar has written the traces of all requests for a path, which it does once
// a second, and gives the ways that they took.
func awaitJourneys(ctx context.Context, workload *echo.Workload, path string) string {
	GinkgoHelper()
	var traces []trace
	Eventually(ctx, func(ctx context.Context) ([]trace, error) {
		log, err := kube.Shared().Logs(ctx, workload.Namespace, workload.Pod.Name, sidecar.Container, workload.Pod.CreationTimestamp.Time)
		if err != nil {
			return nil, err
		}
		traces, err = tracesOf(log, path)
		return traces, err
	}, timing.Push, timing.Poll).Should(HaveLen(requests), "traces of %s in the log of %s's sidecar", path, workload.Name)
	evidence.Replay("kubectl logs -n %s deploy/%s -c %s | grep '\"path\":\"%s'", workload.Namespace, workload.Name, sidecar.Container, path)
	ways := journeys(traces)
	evidence.Traffic("way of "+path, "%d × %s", len(traces), ways)
	return ways
}

// expectSeen asserts that an echo server has got all requests for a path, or none, once the way of all of them is known. It
// waits for lines of a log, but not for their absence: what decides about that is how the requests were answered.
func expectSeen(ctx context.Context, workload *echo.Workload, path string, all bool) {
	GinkgoHelper()
	want, came := 0, seen(workload, path)
	if all {
		want = requests
		Eventually(ctx, came, timing.Push, timing.Poll).Should(Equal(want), "requests for %s that came to %s", path, workload.Name)
	} else {
		Expect(came(ctx)).To(BeZero(), "requests for %s that came to %s", path, workload.Name)
	}
	evidence.Replay("kubectl logs -n %s deploy/%s -c %s | grep -c ' Request.*url=%s'", workload.Namespace, workload.Name, echo.Container, path)
	evidence.Traffic(fmt.Sprintf("%s that came to %s", path, workload.Name), "%d", want)
}

// seen counts the requests for a path that an echo server has logged.
func seen(workload *echo.Workload, path string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		all, err := workload.Received(ctx, workload.Pod.CreationTimestamp.Time)
		count := 0
		for _, one := range all {
			if withoutQuery(one.URL) == path {
				count++
			}
		}
		return count, err
	}
}
