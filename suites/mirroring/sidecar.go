package mirroring

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

var _ = Describe("A sidecar", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.Mirroring), func() {
	const (
		http, grpc = "80", "7070"
		calls      = 100
	)
	var (
		ns     string
		client *echo.Workload
		held   = &stage{}
	)

	// The first spec's time is mostly that of these pods, each with a sidecar; all specs share them.
	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "mirroring-sidecar", kube.Injected)
		kube.Apply(ctx, ns, "echo/near.yaml")
		apply(ctx, ns, "client", "mirrors", "hosts", "virtualservices", "httproute-mesh", "dead", "harm")
		held.receivers = echo.Deploy(ctx, ns, primary)
		for name, workload := range echo.Await(ctx, ns, "client", mirrorAll, mirrorHalf, mirrorNone) {
			held.receivers[name] = workload
		}
		// As a receiver, the caller is the neighbour that no mirror names.
		client = held.receivers["client"]
		held.proxy = sidecar.Of(client)
	})

	// copies measures once what becomes of requests for a host whose route has these mirrors.
	copies := func(ctx SpecContext, host string, count int, parts shares, policies ...policy) outcome {
		GinkgoHelper()
		authority := fullName(host, ns)
		route := held.awaitMirrors(ctx, http, authority, mirrorsOf(ns, http, policies...))
		seen := held.exchange(ctx, route, func(run string) echo.Answers {
			return ask(ctx, client, "http://"+authority+"/", count, echo.Header(runHeader, run))
		})
		held.expectCopies(seen, count, authority, parts)
		return seen
	}

	It("copies all, half and none of a client's 1000 requests to mirrors of 100, 50 and 0 percent", spec.ID("mirroring.shares-sidecar"), Label(catalogue.Smoke), func(ctx SpecContext) {
		seen := copies(ctx, "shares", many, shares{mirrorAll: 1, mirrorHalf: 0.5, mirrorNone: 0}, percent(100, mirrorAll), percent(50, mirrorHalf))
		held.expectNoMore(ctx, seen, mirrorNone, client.Name)
	})

	It("copies nothing of a client's requests where no mirror is asked for", spec.ID("mirroring.sidecar-without-mirror"), Label(catalogue.Smoke), func(ctx SpecContext) {
		seen := copies(ctx, "unmirrored", some, shares{})
		held.expectNoMore(ctx, seen, mirrorAll, mirrorHalf, mirrorNone, client.Name)
	})

	DescribeTable("copies requests as told by",
		func(ctx SpecContext, host string, parts shares, policies ...policy) {
			copies(ctx, host, some, parts, policies...)
		},
		Entry("mirrors without a percentage, which get all, in their order", spec.ID("mirroring.sidecar-without-percentage"),
			"unstated",
			shares{mirrorAll: 1, mirrorHalf: 1}, unstated(mirrorHalf), unstated(mirrorAll)),
		Entry("a single mirror with mirrorPercentage, the form of earlier releases", spec.ID("mirroring.sidecar-single-mirror"),
			"single",
			shares{mirrorHalf: 0.5}, percent(50, mirrorHalf)),
		Entry("a mirror that names a DestinationRule's subset", spec.ID("mirroring.sidecar-subset"), "subset",
			shares{mirrorHalf: 1}, policy{service: "mirrors", subset: "half", parts: 100, of: 100}),
		Entry("the mirrors of a delegate VirtualService", spec.ID("mirroring.sidecar-delegate"), "delegated",
			shares{mirrorAll: 1, mirrorHalf: 0.125}, unstated(mirrorAll), percent(12.5, mirrorHalf)),
		Entry("the mirrors of a VirtualService whose delegate has none", spec.ID("mirroring.sidecar-inherited"),
			"inherited",
			shares{mirrorAll: 1}, unstated(mirrorAll)),
		Entry("several RequestMirror filters of a Service's HTTPRoute", spec.ID("mirroring.sidecar-httproute-several"),
			"routed",
			shares{mirrorAll: 1, mirrorHalf: 1}, unstated(mirrorAll), unstated(mirrorHalf)),
	)

	It("copies gRPC calls with their messages", spec.ID("mirroring.sidecar-grpc"), func(ctx SpecContext) {
		authority := fullName("calls", ns)
		route := held.awaitMirrors(ctx, grpc, authority, mirrorsOf(ns, grpc, percent(100, mirrorAll), percent(50, mirrorHalf)))
		message := content(messageSize)
		// The client numbers the calls of a set: in one set, numbers are ids.
		seen := held.exchange(ctx, route, func(run string) echo.Answers {
			return client.Measure(ctx, "grpc://"+authority+":"+grpc, calls, echo.Header(runHeader, run), echo.Message(message))
		})
		held.expectCopies(seen, calls, authority+":"+grpc, shares{mirrorAll: 1, mirrorHalf: 0.5})
		for _, receiver := range []string{primary, mirrorAll, mirrorHalf} {
			Expect(seen.each(receiver, func(call echo.Received) string { return call.Proto })).To(HaveExactElements("GRPC"), "protocol at %s", receiver)
			Expect(seen.each(receiver, func(call echo.Received) string { return fingerprint(call.Message) })).To(HaveExactElements(fingerprint(message)), "fingerprints of the messages at %s", receiver)
		}
		evidence.Traffic("messages", "the %d bytes that were sent, at the primary and at each mirror", len(message))
	})

	harmless(held, func() (*echo.Workload, string) { return client, ns })
})
