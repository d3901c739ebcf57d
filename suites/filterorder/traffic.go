package filterorder

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// requests is how many of a kind are sent: the outcome does not depend on chance.
const requests = 5

// What requests differ in: the policies of fixtures/filterorder/guarded.yaml and gateway-guarded.yaml match by headers.
var (
	asksAuthorizer = header("x-ext-authz", "yes")
	matchesAudit   = header("x-audit", "yes")
	matchesDeny    = header("x-deny", "yes")
	matchesAllow   = header("x-allow", "yes")
	// allowedByToken are requests that ALLOW lets in only with a principal of a token.
	allowedByToken = header("x-allow", "token")
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
	matches []http.Header
}

func header(name, value string) http.Header {
	return http.Header{http.CanonicalHeaderKey(name): {value}}
}

// headers are what requests of a kind bear, given the headers that present tokens.
func (a asked) headers(tokens map[token]http.Header) []http.Header {
	if a.token == noToken {
		return a.matches
	}
	return append(slices.Clone(a.matches), tokens[a.token])
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

// refusal is a kind of requests with what becomes of them.
type refusal struct {
	// id is the part of the spec's id that tells the case apart.
	id    string
	name  string
	asked asked
	want  outcome
}

// inOrder are requests that the filters refuse one after the other.
var inOrder = []refusal{
	{"custom-refuses", "CUSTOM refuses before the token is verified",
		asked{"/custom-refuses" + refuses, forged, []http.Header{asksAuthorizer, matchesAudit, matchesDeny}},
		outcome{402, "CUSTOM matches → ext_authz refuses", nil, true, false}},
	{"token-refused", "the token is refused after CUSTOM, before AUDIT and DENY",
		asked{"/token-refused" + passes, forged, []http.Header{asksAuthorizer, matchesAudit, matchesDeny}},
		outcome{401, "CUSTOM matches → jwt_authn refuses", beforeTokens, true, false}},
	{"deny-refuses", "DENY refuses after CUSTOM, the token and AUDIT, before ALLOW",
		asked{"/deny-refuses" + passes, good, []http.Header{asksAuthorizer, matchesAudit, matchesDeny}},
		outcome{403, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → deny refuses", beforePolicies, true, false}},
	{"allow-refuses", "ALLOW refuses after CUSTOM, the token and AUDIT",
		asked{"/allow-refuses" + passes, good, []http.Header{asksAuthorizer, matchesAudit}},
		outcome{403, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → ALLOW refuses", beforePolicies, true, false}},
	{"nobody-refuses", "what all filters let through comes to the server",
		asked{"/nobody-refuses" + passes, good, []http.Header{asksAuthorizer, matchesAudit, matchesAllow}},
		outcome{200, "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → server", allPlugins, true, true}},
}

// unlike are requests that some of the filters have no part in.
var unlike = []refusal{
	{"custom-silent", "without a match CUSTOM asks nobody",
		asked{"/custom-silent" + passes, good, []http.Header{matchesAllow}},
		outcome{200, "jwt_authn → istio_authn → AUDIT → server", allPlugins, false, true}},
	{"token-alone", "a forged token is refused without CUSTOM too",
		asked{"/token-alone" + passes, forged, []http.Header{matchesAllow}},
		outcome{401, "jwt_authn refuses", beforeTokens, false, false}},
	{"allow-by-token", "ALLOW sees what the token said",
		asked{"/allow-by-token" + passes, good, []http.Header{allowedByToken}},
		outcome{200, "jwt_authn → istio_authn → AUDIT → server", allPlugins, false, true}},
	{"allow-without-token", "ALLOW sees that there was no token",
		asked{"/allow-without-token" + passes, noToken, []http.Header{allowedByToken}},
		outcome{403, "AUDIT → ALLOW refuses", beforePolicies, false, false}},
}

// entries are those of a table of refusals at some place. Their ids begin with a prefix.
func entries(prefix, place string, of ...refusal) []TableEntry {
	var all []TableEntry
	for _, one := range of {
		all = append(all, Entry(place+one.name, spec.ID(prefix+one.id), one.asked, one.want))
	}
	return all
}

// The workloads that both have: who answers, and whom CUSTOM asks.
const server, authorizer = "server", "ext-authz"

// furnish brings to a namespace what authorizes, what writes traces, fixtures of this folder, echo workloads and, by a fixture
// as well, plugins. It gives the workloads and the authorizer.
func furnish(ctx context.Context, ns, plugins string, workloads []string, fixtures ...string) map[string]*echo.Workload {
	GinkgoHelper()
	for _, fixture := range append([]string{"ext-authz", "trace"}, fixtures...) {
		kube.Apply(ctx, ns, "filterorder/"+fixture+".yaml")
	}
	kube.Apply(ctx, ns, "wasmplugin/modules.yaml")
	// A proxy refuses plugins whose module it cannot have.
	Expect(kube.Shared().WaitAvailable(ctx, ns, "modules")).To(Succeed())
	kube.Apply(ctx, ns, "filterorder/"+plugins+".yaml")
	deployed := echo.Deploy(ctx, ns, workloads...)
	maps.Copy(deployed, echo.Await(ctx, ns, authorizer))
	return deployed
}

var _ = Describe("A request", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.FilterOrder), func() {
	var (
		mesh   map[string]*echo.Workload
		tokens map[token]http.Header
	)
	const client = "client"

	// On a busy machine the first spec takes over 20 s: four pods start, two of them with a sidecar, one of which
	// compiles the plugins' module. All specs share them.
	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "order-traffic", kube.Injected)
		kube.Apply(ctx, ns, "echo/near.yaml")
		mesh = furnish(ctx, ns, "marks", []string{client, server}, "provider", "guarded")
		guarded := beside(mesh[server])
		tokens = authenticate(ctx, guarded, "filterorder/tokens.yaml")
		sidecar.AwaitReach(ctx, mesh[client], mesh[server])
		sidecar.AwaitReach(ctx, mesh[server], mesh[client])
		awaitAuthorizer(ctx, guarded, "ext-authz", mesh[authorizer])
		awaitPlugins(ctx, guarded)
		// Last, since everything above shows in it.
		awaitFilters(ctx, guarded, guardedFilters)
		awaitFilters(ctx, beside(mesh[client]), missingFilters)
	})

	DescribeTable("that one filter refuses has passed those before it, and none after:", Label(catalogue.Smoke),
		func(ctx SpecContext, asked asked, want outcome) {
			By("measuring once")
			answers := mesh[client].Measure(ctx, mesh[server].URL(asked.path), requests, echo.Headers(asked.headers(tokens)...)...)
			expectOutcome(ctx, beside(mesh[server]), answers, asked.path, want, mesh[authorizer], mesh[server])
		},
		entries("filterorder.request-", "", inOrder...), entries("filterorder.request-", "", unlike...),
	)

	It("bears the mark of CUSTOM when it comes to the server", spec.ID("filterorder.request-marked-by-custom"), func(ctx SpecContext) {
		By("measuring once")
		marked := mesh[client].Measure(ctx, mesh[server].URL("/marked"+passes), requests, echo.Headers(asksAuthorizer, matchesAllow)...)
		Expect(marked).To(match.HaveRequestHeader("X-Ext-Authz-Answer", "passed"))

		By("sending what CUSTOM does not match")
		unmarked := mesh[client].Measure(ctx, mesh[server].URL("/unmarked"+passes), requests, echo.Headers(matchesAllow)...)
		Expect(unmarked).To(match.HaveRequestHeader("X-Ext-Authz-Answer"))
	})

	It("is refused for want of a provider only where CUSTOM matches", spec.ID("filterorder.request-custom-without-provider"), func(ctx SpecContext) {
		By("measuring once")
		guarded := mesh[server].Measure(ctx, mesh[client].URL("/guarded"), requests)
		free := mesh[server].Measure(ctx, mesh[client].URL("/free"), requests)
		Expect(guarded).To(match.BeDenied())
		Expect(free).To(match.HaveStatus(200))
		Expect(free).To(match.BeServedBy(mesh[client]))
		Expect(awaitJourneys(ctx, beside(mesh[client]), "/guarded")).To(Equal("missing refuses for want of a provider"))
		Expect(awaitJourneys(ctx, beside(mesh[client]), "/free")).To(Equal("server"))
	})

	It("meets the same order in the proxy itself", spec.ID("filterorder.request-order-in-proxy"), func(ctx SpecContext) {
		expectOrder(ctx, beside(mesh[server]), guardedFilters)
		expectOrder(ctx, beside(mesh[client]), missingFilters)
	})
})

// At a gateway the same filters stand before what is not in the mesh: neither caller nor server has a sidecar.
var _ = Describe("A request at a managed gateway", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.FilterOrder), func() {
	var (
		mesh    map[string]*echo.Workload
		visitor echo.Visitor
		web     guard
		tokens  map[token]http.Header
	)
	const url = "http://www.example.com"

	// The first spec's time is that of four pods, one of which compiles the plugins' module. All specs share them.
	evidence.BeforeAll(func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "order-gateway")
		mesh = furnish(ctx, ns, "gateway-marks", []string{server}, "gateway-provider", "gateway", "gateway-guarded")
		visitor.Address = gateway.AwaitProgrammed(ctx, ns, "web", gatewayv1.IPAddressType)
		web = before(ctx, ns, "web")
		tokens = authenticate(ctx, web, "filterorder/gateway-tokens.yaml")
		awaitAuthorizer(ctx, web, "ext-authz-gateway", mesh[authorizer])
		awaitPlugins(ctx, web)
		awaitFilters(ctx, web, guardedFilters)
		// Load balancer and node take a moment of their own.
		Eventually(ctx, visitor.Send, timing.Push(), timing.Poll).WithArguments(url+"/first", 1, matchesAllow).
			Should(match.BeServedBy(mesh[server]), "%s at %s", url, visitor.Address)
	})

	DescribeTable("that one filter refuses has passed those before it, and none after:",
		func(ctx SpecContext, asked asked, want outcome) {
			By("measuring once")
			answers := visitor.Measure(ctx, url+asked.path, requests, asked.headers(tokens)...)
			expectOutcome(ctx, web, answers, asked.path, want, mesh[authorizer], mesh[server])
		},
		entries("filterorder.gateway-request-", "at a gateway ", inOrder...),
	)

	It("meets the same order in the gateway's proxy", spec.ID("filterorder.gateway-request-order-in-proxy"), func(ctx SpecContext) { expectOrder(ctx, web, guardedFilters) })
})

// expectOutcome judges what became of requests for a path: how they were answered, how far they came by the guard's trace,
// and who has seen them.
func expectOutcome(ctx context.Context, at guard, answers echo.Answers, url string, want outcome, authorizer, server *echo.Workload) {
	GinkgoHelper()
	Expect(answers).To(match.HaveStatus(want.status))
	Expect(answers).To(match.HaveResponseHeader(mark, reversed(want.plugins)...))
	if want.server {
		Expect(answers).To(match.HaveRequestHeader(mark, want.plugins...))
	}
	path := withoutQuery(url)
	ways := strings.Split(awaitJourneys(ctx, at, path), then)
	Expect(ways).To(run(strings.Split(want.journey, then)), "ways of requests for %s", path)
	expectSeen(ctx, authorizer, path, want.authorizer)
	expectSeen(ctx, server, path, want.server)
}

// expectOrder asserts in which order a proxy runs its filters.
func expectOrder(ctx context.Context, at guard, want []string) {
	GinkgoHelper()
	steps, err := at.filters(ctx)
	Expect(err).NotTo(HaveOccurred())
	evidence.Config("filters of "+at.name, "%s", strings.Join(steps, then))
	Expect(steps).To(run(want), "HTTP filters of %s", at.name)
}

// awaitJourneys waits until a proxy has written the traces of all requests for a path, which it does once
// a second, and gives the ways that they took.
func awaitJourneys(ctx context.Context, at guard, path string) string {
	GinkgoHelper()
	var traces []trace
	Eventually(ctx, func(ctx context.Context) ([]trace, error) {
		log, err := kube.Shared().Logs(ctx, at.held.Namespace, at.held.Pod, sidecar.Container, time.Time{})
		if err != nil {
			return nil, err
		}
		traces, err = tracesOf(log, path)
		return traces, err
	}, timing.Push(), timing.Poll).Should(HaveLen(requests), "traces of %s in the log of %s", path, at.name)
	evidence.Replay("kubectl logs -n %s %s -c %s | grep '\"path\":\"%s'", at.held.Namespace, at.held.Pod, sidecar.Container, path)
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
		Eventually(ctx, came, timing.Push(), timing.Poll).Should(Equal(want), "requests for %s that came to %s", path, workload.Name)
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
