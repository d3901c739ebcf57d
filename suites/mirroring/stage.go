// Package mirroring holds the specs of request mirroring: copies of requests for several destinations,
// each with its share, whose answers nobody waits for.
package mirroring

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// primary is the workload that answers.
const primary = "server"

// runHeader marks the requests of one measurement, for logs that hold those of several.
const runHeader = "X-Run"

// stage is where measurements take place: a proxy that mirrors, and everybody who could get a request.
type stage struct {
	proxy proxy.Proxy
	// receivers by name, the primary among them.
	receivers map[string]*echo.Workload
}

// route reads from one of the proxy's route configurations the first route of a host.
func (s *stage) route(ctx context.Context, config, host string) (*routev3.Route, error) {
	all, err := s.proxy.Routes(ctx)
	if err != nil {
		return nil, err
	}
	// Beside the port's own there may be others that have the host.
	all = slices.DeleteFunc(all, func(one *routev3.RouteConfiguration) bool { return one.GetName() != config })
	routes := envoy.VirtualHost(all, host).GetRoutes()
	if len(routes) == 0 {
		return nil, fmt.Errorf("%s has no route for %s in its route configuration %s", s.proxy, host, config)
	}
	return routes[0], nil
}

// awaitMirrors waits until the proxy's route of a host has exactly these mirrors, in their order.
func (s *stage) awaitMirrors(ctx context.Context, config, host string, want []envoy.Mirror) *routev3.Route {
	GinkgoHelper()
	var route *routev3.Route
	Eventually(ctx, func(ctx context.Context) ([]envoy.Mirror, error) {
		var err error
		route, err = s.route(ctx, config, host)
		return envoy.Mirrors(route), err
	}, timing.Push(), timing.Poll).Should(match.BeMirrors(want...), func() string {
		at := fmt.Sprintf("route of %s at %s", host, s.proxy)
		if route == nil {
			return at
		}
		return difference(want, envoy.Mirrors(route)) + ", " + at
	})
	evidence.Config("request_mirror_policies of "+host, "%s", want)
	evidence.Replay("kubectl exec -n %s %s -- pilot-agent request GET 'config_dump?resource=dynamic_route_configs'", s.proxy.Namespace, s.proxy.Pod)
	return route
}

// awaitEndpoints waits until the proxy has somebody to send to for each cluster.
func (s *stage) awaitEndpoints(ctx context.Context, clusters ...string) {
	GinkgoHelper()
	for _, cluster := range clusters {
		Eventually(ctx, s.proxy.EndpointsOf, timing.Push(), timing.Poll).WithArguments(cluster).
			Should(And(Not(BeEmpty()), HaveEach(HaveField("Healthy", BeTrue()))), "%s, endpoints of %s", s.proxy, cluster)
	}
}

// awaitAddress waits until requests for a host get through to the primary: load balancer and node take a
// moment of their own.
func (s *stage) awaitAddress(ctx context.Context, visitor echo.Visitor, host string) {
	GinkgoHelper()
	Eventually(ctx, visitor.Send, timing.Push(), timing.Poll).WithArguments("http://"+host+"/", 1).
		Should(match.BeServedBy(s.receivers[primary]), "%s at %s", host, visitor.Address)
}

// exchange sends requests once and tells what became of them and of their copies. A copy is sent and
// forgotten: that all have arrived is known when the proxy has no request to a destination of the route
// under way, and the receivers have logged as many as it counted.
func (s *stage) exchange(ctx context.Context, route *routev3.Route, send func(run string) echo.Answers) outcome {
	GinkgoHelper()
	clusters := clustersOf(route)
	s.awaitEndpoints(ctx, clusters...)
	before := s.atRest(ctx, clusters...)
	seen := s.unseen()

	By("measuring once")
	answers := send(seen.run)

	By("waiting until the proxy has none of the requests under way, and the receivers have logged as many as it sent")
	after := s.atRest(ctx, clusters...)
	Eventually(ctx, func(ctx context.Context) (int64, error) {
		var err error
		seen, err = s.received(ctx, seen, slices.Collect(maps.Keys(s.receivers))...)
		return seen.total(), err
	}, timing.Push(), timing.Poll).Should(Equal(after.Total-before.Total), func() string {
		return fmt.Sprintf("requests that the receivers have logged, of those that %s sent: %s", s.proxy, seen)
	})
	seen.answers = answers
	evidence.Traffic("requests at each receiver", "%s; sent by %s: %d", seen, s.proxy, after.Total-before.Total)
	return seen
}

// unseen is a run that nobody has got a request of.
func (s *stage) unseen() outcome { return outcome{run: rand.Text(), begun: time.Now()} }

// received is what receivers have logged of a run by now.
func (s *stage) received(ctx context.Context, of outcome, receivers ...string) (outcome, error) {
	of.got = map[string][]echo.Received{}
	for _, name := range receivers {
		all, err := s.receivers[name].Received(ctx, of.begun)
		if err != nil {
			return of, err
		}
		of.got[name] = slices.DeleteFunc(all, func(one echo.Received) bool { return one.Header(runHeader) != of.run })
	}
	return of, nil
}

// atRest waits until the proxy has no request to the clusters under way, and gives what it has counted by
// then.
func (s *stage) atRest(ctx context.Context, clusters ...string) counts {
	GinkgoHelper()
	var sum counts
	Eventually(ctx, func(ctx context.Context) (int64, error) {
		var err error
		sum, err = s.counted(ctx, clusters...)
		return sum.UnderWay, err
	}, timing.Push(), timing.Poll).Should(BeZero(), "requests that %s has under way to %q", s.proxy, clusters)
	return sum
}

// counted sums up what the proxy has counted of requests to clusters.
func (s *stage) counted(ctx context.Context, clusters ...string) (counts, error) {
	stats, err := s.proxy.Stats(ctx, `^cluster\.outbound.*\.upstream_`)
	if err != nil {
		return counts{}, err
	}
	return countsOf(stats, clusters...)
}
