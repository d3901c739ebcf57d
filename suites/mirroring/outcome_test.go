package mirroring

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/xds/envoy"
)

// got is an outcome whose receivers logged requests with these ids, in the way a log gives them.
func got(t *testing.T, ids map[string][]string) outcome {
	t.Helper()
	o := outcome{got: map[string][]echo.Received{}}
	for receiver, list := range ids {
		var log strings.Builder
		for i, id := range list {
			host := "server"
			if receiver != primary {
				host = "server-shadow"
			}
			log.WriteString("x\tinfo\tendpoint\tHTTP/1.1 Request\tremoteAddr=1 method=GET url=/ host=" + host +
				" headers=map[X-Request-Id:[" + id + "]] id=" + receiver + string(rune('a'+i)) + "\n")
		}
		requests, err := echo.ParseLog(log.String())
		if err != nil {
			t.Fatal(err)
		}
		o.got[receiver] = requests
	}
	return o
}

func TestOutcomeCountsWhatArrived(t *testing.T) {
	o := got(t, map[string][]string{primary: {"1", "2", "3"}, mirrorAll: {"3", "1", "2"}, mirrorHalf: {"2"}, mirrorNone: nil})
	if o.total() != 7 || o.distinct(primary) != 3 || o.distinct(mirrorHalf) != 1 || o.distinct(mirrorNone) != 0 || o.distinct("nobody") != 0 {
		t.Errorf("counted %s", o)
	}
	if odd := o.oddities(); len(odd) != 0 {
		t.Errorf("found %q", odd)
	}
	if hosts := o.hosts(mirrorAll); !slices.Equal(hosts, []string{"server-shadow"}) {
		t.Errorf("hosts are %q", hosts)
	}
	const want = "mirror-all 3 for server-shadow, mirror-half 1 for server-shadow, mirror-none 0, server 3 for server"
	if o.String() != want {
		t.Errorf("reads %q", o)
	}
}

func TestOdditiesAreNoCopies(t *testing.T) {
	for name, c := range map[string]struct {
		ids  map[string][]string
		want []string
	}{
		"twice at a mirror":      {map[string][]string{primary: {"1"}, mirrorAll: {"1", "1"}}, []string{`mirror-all got request "1" 2 times`}},
		"twice at the primary":   {map[string][]string{primary: {"1", "1"}, mirrorAll: {"1"}}, []string{`server got request "1" 2 times`}},
		"not at the primary":     {map[string][]string{primary: {"1"}, mirrorAll: {"1", "2"}}, []string{`mirror-all got request "2", which the primary did not`}},
		"without an id":          {map[string][]string{primary: {""}}, []string{`server got request "", which the primary did not`}},
		"not at a mirror at all": {map[string][]string{primary: {"1"}, mirrorAll: nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if odd := got(t, c.ids).oddities(); !slices.Equal(odd, c.want) {
				t.Errorf("found %q", odd)
			}
		})
	}
}

func TestCountsOf(t *testing.T) {
	stats := map[string]int64{}
	for cluster, values := range map[string][4]int64{"a": {10, 2, 1, 0}, "b": {5, 0, 0, 7}} {
		stats["cluster."+cluster+".upstream_rq_total"] = values[0]
		stats["cluster."+cluster+".upstream_rq_active"] = values[1]
		stats["cluster."+cluster+".upstream_rq_pending_active"] = values[2]
		stats["cluster."+cluster+".upstream_cx_none_healthy"] = values[3]
	}
	stats["cluster.b.upstream_rq_5xx"] = 4
	for name, c := range map[string]struct {
		clusters []string
		want     counts
	}{
		"one":               {[]string{"a"}, counts{Total: 10, UnderWay: 3}},
		"failed":            {[]string{"b"}, counts{Total: 5, Failed: 4, Unserved: 7}},
		"all":               {[]string{"a", "b"}, counts{Total: 15, Failed: 4, Unserved: 7, UnderWay: 3}},
		"none is asked for": {nil, counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			if sum, err := countsOf(stats, c.clusters...); err != nil || sum != c.want {
				t.Errorf("counted %+v, %v", sum, err)
			}
		})
	}
	delete(stats, "cluster.a.upstream_rq_pending_active")
	for _, cluster := range []string{"a", "c"} {
		if sum, err := countsOf(stats, cluster); err == nil {
			t.Errorf("counted %+v of %s without its statistics", sum, cluster)
		}
	}
	later := counts{Total: 12, Failed: 5, Unserved: 7, UnderWay: 2}
	if since := later.since(counts{Total: 10, Failed: 1, Unserved: 7, UnderWay: 9}); since != (counts{Total: 2, Failed: 4, UnderWay: 2}) {
		t.Errorf("since is %+v", since)
	}
}

func TestShadow(t *testing.T) {
	for authority, want := range map[string]string{"server": "server-shadow", "server.ns:7070": "server.ns-shadow:7070"} {
		if is := shadow(authority); is != want {
			t.Errorf("the copy for %s is for %s", authority, is)
		}
	}
}

func TestMirrorsOf(t *testing.T) {
	to := func(cluster string, parts uint32, of typev3.FractionalPercent_DenominatorType) *routev3.RouteAction_RequestMirrorPolicy {
		return &routev3.RouteAction_RequestMirrorPolicy{Cluster: cluster, RuntimeFraction: &corev3.RuntimeFractionalPercent{
			DefaultValue: &typev3.FractionalPercent{Numerator: parts, Denominator: of},
		}}
	}
	route := &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "primary"},
		RequestMirrorPolicies: []*routev3.RouteAction_RequestMirrorPolicy{
			to("outbound|80||a.ns.svc.cluster.local", 125_000, typev3.FractionalPercent_MILLION),
			to("outbound|80|s|b.ns.svc.cluster.local", 100, typev3.FractionalPercent_HUNDRED),
		},
	}}}
	wanted := mirrorsOf("ns", "80", percent(12.5, "a"), policy{service: "b", subset: "s", parts: 100, of: 100})
	held := envoy.Mirrors(route)
	for i := range held {
		// Istio states it, unlike this route.
		held[i].TraceSampled = false
	}
	if !reflect.DeepEqual(wanted, held) {
		t.Errorf("want %+v of a route with %+v", wanted, held)
	}
	if clusters := clustersOf(route); !slices.Equal(clusters, []string{"primary", wanted[0].Cluster, wanted[1].Cluster}) {
		t.Errorf("destinations are %q", clusters)
	}
}

func TestMedian(t *testing.T) {
	for want, took := range map[time.Duration][]time.Duration{1: {1}, 3: {9, 1, 3}, 5: {5, 1, 8, 2}} {
		if is := median(took); is != want {
			t.Errorf("the median of %v is %v", took, is)
		}
	}
}

func TestInBoth(t *testing.T) {
	for want, others := range map[int][]string{0: {"c"}, 1: {"b", "c"}, 2: {"c", "b", "a"}} {
		if is := inBoth([]string{"a", "b"}, others); is != want {
			t.Errorf("%d of a and b are in %q", is, others)
		}
	}
}

func TestFingerprint(t *testing.T) {
	if fingerprint("a") == fingerprint("b") {
		t.Error("fingerprints do not tell texts apart")
	}
	if one := content(4096); len(one) < 4096 || one == content(4096) {
		t.Errorf("content of %d characters", len(one))
	}
}

func TestDifference(t *testing.T) {
	all, half := envoy.Mirror{Cluster: "all", Parts: 100, Of: 100}, envoy.Mirror{Cluster: "half", Parts: 50, Of: 100}
	whole := half
	whole.Parts = 100
	for want, mirrors := range map[string][2][]envoy.Mirror{
		"the mirrors are the right ones":                        {{all, half}, {all, half}},
		"nobody asked for mirror half 50/100 untraced":          {{all}, {all, half}},
		"there is no mirror half 50/100 untraced":               {{all, half}, {all}},
		"mirror 1 is half 50/100 untraced, not all 100/100":     {{all, half}, {half, all}},
		"mirror half has 100/100 untraced, not 50/100 untraced": {{all, half}, {all, whole}},
	} {
		if got := difference(mirrors[0], mirrors[1]); !strings.HasPrefix(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
