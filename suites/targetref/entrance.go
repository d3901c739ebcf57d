package targetref

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// host is what the routes of the Gateways serve.
const host = "www.example.com"

// entrance is a way to a backend, with the proxy whose policies decide on it.
type entrance struct {
	// name for messages.
	name     string
	proxy    proxy.Proxy
	listener string
	// send asks once for a path; measure does it as often as a measurement needs, and records it.
	send    func(ctx context.Context, path string) (echo.Answers, error)
	measure func(ctx context.Context, path string, headers ...http.Header) echo.Answers
}

// byGateway waits until a Gateway is programmed and leads from this machine through it.
func byGateway(ctx context.Context, namespace, name string) entrance {
	GinkgoHelper()
	visitor := echo.Visitor{Address: gateway.AwaitProgrammed(ctx, namespace, name, gatewayv1.IPAddressType)}
	held, err := gateway.ProxyOf(ctx, namespace, name)
	Expect(err).NotTo(HaveOccurred())
	return entrance{
		name:     "Gateway " + namespace + "/" + name,
		proxy:    held,
		listener: "0.0.0.0_80",
		send: func(ctx context.Context, path string) (echo.Answers, error) {
			return visitor.Send(ctx, "http://"+host+path, 1)
		},
		measure: func(ctx context.Context, path string, headers ...http.Header) echo.Answers {
			GinkgoHelper()
			return visitor.Measure(ctx, "http://"+host+path, requests, headers...)
		},
	}
}

// bySidecar leads from a workload without a sidecar to one with a sidecar, which decides.
func bySidecar(from, to *echo.Workload) entrance {
	return entrance{
		name:     "the sidecar of " + to.Name + "." + to.Namespace,
		proxy:    sidecar.Of(to),
		listener: "virtualInbound",
		send: func(ctx context.Context, path string) (echo.Answers, error) {
			return from.Send(ctx, to.DirectURL(path), 1)
		},
		measure: func(ctx context.Context, path string, headers ...http.Header) echo.Answers {
			GinkgoHelper()
			return from.Measure(ctx, to.DirectURL(path), requests, echo.Headers(headers...)...)
		},
	}
}

// awaitOpen waits until each entrance answers 200, as it has to before any policy.
func awaitOpen(ctx context.Context, entrances ...entrance) {
	GinkgoHelper()
	for _, e := range entrances {
		Eventually(ctx, e.send, timing.Push(), timing.Poll).WithArguments("/").Should(match.HaveStatus(200), "through %s", e.name)
	}
}

// holding reads what the deciding listeners of some entrances hold.
type holding func(ctx context.Context, entrances []entrance) ([]match.Held, error)

// reading makes a holding of what there is to say of a listener's filter chains.
func reading(what string, of func([]envoy.Chain) ([][]string, error)) holding {
	return func(ctx context.Context, entrances []entrance) ([]match.Held, error) {
		var all []match.Held
		for _, e := range entrances {
			chains, err := e.proxy.Chains(ctx, e.listener)
			if err != nil {
				return nil, err
			}
			lists, err := of(chains)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", what, e.name, err)
			}
			all = append(all, match.Held{By: what + " of " + e.name, Chains: lists})
		}
		return all, nil
	}
}

// filters are the names of the HTTP filters of those filter chains that have any.
var filters = reading("HTTP filters", func(chains []envoy.Chain) ([][]string, error) {
	var lists [][]string
	for _, chain := range chains {
		if len(chain.HTTP) > 0 {
			lists = append(lists, envoy.Names(chain.HTTP))
		}
	}
	return lists, nil
})

// await waits until the deciding listeners hold what is wanted, and records it.
func (read holding) await(ctx context.Context, want types.GomegaMatcher, entrances ...entrance) {
	GinkgoHelper()
	Eventually(ctx, read, timing.Push(), timing.Poll).WithArguments(entrances).Should(want)
	read.record(ctx, entrances)
}

// landing is when a change was first seen where it belongs. The specs that look for it elsewhere watch from then on, all
// together.
type landing struct{ at time.Time }

func (l *landing) seen() {
	if l.at.IsZero() {
		l.at = time.Now()
	}
}

// stay asserts that the deciding listeners go on holding what is wanted, once a change that is to have no effect
// on them is known to have landed elsewhere, and records it.
func (read holding) stay(ctx context.Context, landed time.Time, want types.GomegaMatcher, entrances ...entrance) {
	GinkgoHelper()
	Consistently(ctx, read, timing.QuietSince(landed), timing.Poll).WithArguments(entrances).Should(want)
	read.record(ctx, entrances)
}

func (read holding) record(ctx context.Context, entrances []entrance) {
	GinkgoHelper()
	seen, err := read(ctx, entrances)
	Expect(err).NotTo(HaveOccurred())
	for i, held := range seen {
		evidence.Config(held.By, "%q", held.Chains)
		sidecar.ReplayDumpOf(entrances[i].proxy, "dynamic_listeners")
	}
}

// await and stay are those of the HTTP filters, on which most policies show.
func (e entrance) await(ctx context.Context, want types.GomegaMatcher) {
	GinkgoHelper()
	filters.await(ctx, want, e)
}

func stay(ctx context.Context, landed time.Time, want types.GomegaMatcher, entrances ...entrance) {
	GinkgoHelper()
	filters.stay(ctx, landed, want, entrances...)
}

func haveFilter(name string) types.GomegaMatcher { return match.HoldInEveryChain(name) }

func haveNoFilter(name string) types.GomegaMatcher { return match.HoldInNoChain(name) }
