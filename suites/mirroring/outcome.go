package mirroring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/xds/envoy"
)

// outcome is what became of one run of requests.
type outcome struct {
	run     string
	begun   time.Time
	answers echo.Answers
	// got are the requests that each receiver logged, by its name.
	got map[string][]echo.Received
}

// total is how many requests arrived anywhere.
func (o outcome) total() int64 {
	sum := 0
	for _, requests := range o.got {
		sum += len(requests)
	}
	return int64(sum)
}

// distinct is how many different requests a receiver got.
func (o outcome) distinct(receiver string) int { return len(o.ids(receiver)) }

// ids are the ids of the requests that a receiver got. The first proxy on the way gives a request its id,
// where the caller did not, and the copies keep it.
func (o outcome) ids(receiver string) map[string]int {
	times := map[string]int{}
	for _, request := range o.got[receiver] {
		times[request.Header("X-Request-Id")]++
	}
	return times
}

// oddities are requests that are no proper copies: a receiver got them twice, or the primary did not get
// them.
func (o outcome) oddities() []string {
	originals := o.ids(primary)
	var odd []string
	for _, receiver := range slices.Sorted(maps.Keys(o.got)) {
		for id, times := range o.ids(receiver) {
			if times > 1 {
				odd = append(odd, fmt.Sprintf("%s got request %q %d times", receiver, id, times))
			}
			if id == "" || originals[id] == 0 {
				odd = append(odd, fmt.Sprintf("%s got request %q, which the primary did not", receiver, id))
			}
		}
	}
	slices.Sort(odd)
	return odd
}

// each lists, sorted and once each, what a receiver's requests have.
func (o outcome) each(receiver string, has func(echo.Received) string) []string {
	values := map[string]bool{}
	for _, request := range o.got[receiver] {
		values[has(request)] = true
	}
	return slices.Sorted(maps.Keys(values))
}

// hosts are the authorities of the requests that a receiver got.
func (o outcome) hosts(receiver string) []string {
	return o.each(receiver, func(request echo.Received) string { return request.Host })
}

// String is how many requests each receiver got, and for whom.
func (o outcome) String() string {
	var parts []string
	for _, receiver := range slices.Sorted(maps.Keys(o.got)) {
		part := fmt.Sprintf("%s %d", receiver, len(o.got[receiver]))
		if hosts := o.hosts(receiver); len(hosts) > 0 {
			part += " for " + strings.Join(hosts, " and ")
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// counts are what a proxy has counted of requests to some clusters.
type counts struct {
	// Total are those it has sent, Failed those that were answered with 5xx, Unserved those for which
	// it found no endpoint.
	Total, Failed, Unserved int64
	// UnderWay are those without an answer, or even without a connection, so far.
	UnderWay int64
}

// since is what was counted after an earlier look, and what is under way now.
func (c counts) since(before counts) counts {
	return counts{
		Total: c.Total - before.Total, Failed: c.Failed - before.Failed, Unserved: c.Unserved - before.Unserved,
		UnderWay: c.UnderWay,
	}
}

// countsOf finds the clusters among a proxy's statistics. A cluster that is not there is an error: a proxy
// that does not count has not sent nothing.
func countsOf(stats map[string]int64, clusters ...string) (counts, error) {
	var sum counts
	for _, cluster := range clusters {
		for name, into := range map[string]*int64{
			"rq_total": &sum.Total, "rq_5xx": &sum.Failed, "cx_none_healthy": &sum.Unserved,
			"rq_active": &sum.UnderWay, "rq_pending_active": &sum.UnderWay,
		} {
			value, counted := stats["cluster."+cluster+".upstream_"+name]
			// Envoy makes the counter of a class of answers with the first of them.
			if !counted && name != "rq_5xx" {
				return counts{}, fmt.Errorf("the proxy does not count upstream_%s of cluster %s", name, cluster)
			}
			*into += value
		}
	}
	return sum, nil
}

// clustersOf are all destinations of a route, the mirrors last.
func clustersOf(route *routev3.Route) []string {
	clusters := envoy.Destinations(route)
	for _, mirror := range envoy.Mirrors(route) {
		clusters = append(clusters, mirror.Cluster)
	}
	return clusters
}

// difference is the first between the mirrors that a route is to have and those it has, in fewer words than
// both lists.
func difference(want, seen []envoy.Mirror) string {
	for i := range max(len(want), len(seen)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("nobody asked for mirror %s", seen[i])
		case i >= len(seen):
			return fmt.Sprintf("there is no mirror %s", want[i])
		case want[i].Cluster != seen[i].Cluster:
			return fmt.Sprintf("mirror %d is %s, not %s", i+1, seen[i], want[i])
		case want[i] != seen[i]:
			share := func(m envoy.Mirror) string { return strings.TrimPrefix(m.String(), m.Cluster+" ") }
			return fmt.Sprintf("mirror %s has %s, not %s", want[i].Cluster, share(seen[i]), share(want[i]))
		}
	}
	return "the mirrors are the right ones"
}

// shadow is the authority of the copy of a request: Envoy marks the host, and leaves the port what it is.
func shadow(authority string) string {
	host, port, found := strings.Cut(authority, ":")
	if !found {
		return host + "-shadow"
	}
	return host + "-shadow:" + port
}
