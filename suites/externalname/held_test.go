package externalname

import (
	"reflect"
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/xds/envoy"
)

func to(clusters ...string) []*routev3.Route {
	var routes []*routev3.Route
	for _, cluster := range clusters {
		routes = append(routes, &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
		}}})
	}
	return routes
}

func TestDestinations(t *testing.T) {
	held := []*routev3.RouteConfiguration{
		{Name: "80", VirtualHosts: []*routev3.VirtualHost{
			{Domains: []string{"a", "a.ns"}, Routes: to("first", "second")},
			{Domains: []string{"*"}, Routes: []*routev3.Route{{Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 502}}}}},
		}},
		{Name: "8080", VirtualHosts: []*routev3.VirtualHost{{Domains: []string{"a"}, Routes: to("third")}}},
	}
	for _, c := range []struct {
		name, configuration, host string
		want                      []string
	}{
		{"in the order of the routes", "80", "a.ns", []string{"first", "second"}},
		{"of the named configuration only", "8080", "a", []string{"third"}},
		{"an unknown host", "80", "b", nil},
		{"a host of another configuration", "8080", "a.ns", nil},
		{"an unknown configuration", "81", "a", nil},
		{"a refusal is no destination", "80", "*", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := destinations(held, c.configuration, c.host); !slices.Equal(got, c.want) {
				t.Errorf("destinations() = %q, want %q", got, c.want)
			}
		})
	}
}

func chain(t *testing.T, cluster string, names ...string) envoy.Chain {
	t.Helper()
	config, err := anypb.New(&tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster}})
	if err != nil {
		t.Fatal(err)
	}
	return envoy.Chain{
		Network: []envoy.Filter{{Name: "tcp", Config: config}},
		Proto:   &listenerv3.FilterChain{FilterChainMatch: &listenerv3.FilterChainMatch{ServerNames: names}},
	}
}

func TestServerNames(t *testing.T) {
	broken := chain(t, "a")
	broken.Network[0].Config.Value = []byte{0xff}
	for _, c := range []struct {
		name   string
		chains []envoy.Chain
		want   map[string][]string
		fails  bool
	}{
		{"no chain", nil, map[string][]string{}, false},
		{"a chain for several names", []envoy.Chain{chain(t, "a", "x", "y")}, map[string][]string{"x": {"a"}, "y": {"a"}}, false},
		{"a chain for any name", []envoy.Chain{chain(t, "a", "x"), chain(t, "b")}, map[string][]string{"x": {"a"}, "": {"b"}}, false},
		{"several chains for a name", []envoy.Chain{chain(t, "a", "x"), chain(t, "b", "x")}, map[string][]string{"x": {"a", "b"}}, false},
		{"a broken chain", []envoy.Chain{broken}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := serverNames(c.chains)
			if (err != nil) != c.fails || !reflect.DeepEqual(got, c.want) {
				t.Errorf("serverNames() = %v, %v, want %v, an error: %t", got, err, c.want, c.fails)
			}
		})
	}
}

func TestLacking(t *testing.T) {
	held := []*clusterv3.Cluster{{Name: "a"}, {Name: "b"}}
	if got := lacking([]string{"b", "c"}, held); !slices.Equal(got, []string{"c"}) {
		t.Errorf("got %v, want c alone", got)
	}
	if got := lacking([]string{"a"}, held); len(got) != 0 {
		t.Errorf("got %v of clusters that are there", got)
	}
}
