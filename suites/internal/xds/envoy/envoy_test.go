package envoy

import (
	"reflect"
	"testing"

	xdstype "github.com/cncf/xds/go/xds/type/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func wrap(t *testing.T, message proto.Message) *anypb.Any {
	t.Helper()
	wrapped, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func tlsSocket(t *testing.T, context proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(t, context)}}
}

func TestChains(t *testing.T) {
	fields, err := structpb.NewStruct(map[string]any{"protocol": "istio-peer-exchange"})
	if err != nil {
		t.Fatal(err)
	}
	exchange := wrap(t, &xdstype.TypedStruct{TypeUrl: "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange", Value: fields})
	manager := wrap(t, &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: "inline"}},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: "ns.plugin", ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
				TypeUrls: []string{"type.googleapis.com/a.Wasm", "type.googleapis.com/b.RBAC"},
			}}},
			{Name: "router"},
		},
	})
	listener := &listenerv3.Listener{
		Name:            "virtualInbound",
		ListenerFilters: []*listenerv3.ListenerFilter{{Name: "tls_inspector"}, {Name: "http_inspector"}},
		FilterChains: []*listenerv3.FilterChain{{
			Name: "in",
			Filters: []*listenerv3.Filter{
				{Name: "istio.metadata_exchange", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: exchange}},
				{Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager}},
			},
			TransportSocket: tlsSocket(t, &tlsv3.DownstreamTlsContext{
				CommonTlsContext: &tlsv3.CommonTlsContext{AlpnProtocols: []string{"h2", "http/1.1"}},
			}),
		}},
		DefaultFilterChain: &listenerv3.FilterChain{Name: "default"},
	}
	chains, err := Chains(listener)
	if err != nil {
		t.Fatal(err)
	}
	if len(chains) != 2 || chains[0].Default || !chains[1].Default {
		t.Fatalf("chains = %v", chains)
	}
	in := chains[0]
	if got := Names(in.Network); !reflect.DeepEqual(got, []string{"istio.metadata_exchange", "hcm"}) {
		t.Errorf("network filters = %v", got)
	}
	if got := in.Network[0]; got.Type != "envoy.tcp.metadataexchange.config.MetadataExchange" || got.Fields()["protocol"] != "istio-peer-exchange" {
		t.Errorf("wrapped filter = %v with %v", got, got.Fields())
	}
	if in.Network[1].Fields() != nil {
		t.Error("an unwrapped filter has fields")
	}
	plugin, ok := Named(in.HTTP, "ns.plugin")
	if !ok || !plugin.Discovered || plugin.Type != "a.Wasm|b.RBAC" {
		t.Errorf("discovered filter = %+v", plugin)
	}
	if _, ok := Named(in.HTTP, "other"); ok {
		t.Error("found a filter that is not there")
	}
	if in.Routes.GetName() != "inline" || in.RouteName != "" {
		t.Errorf("routes = %v, %q", in.Routes, in.RouteName)
	}
	if !reflect.DeepEqual(in.ALPN, []string{"h2", "http/1.1"}) || chains[1].ALPN != nil {
		t.Errorf("ALPN = %v and %v", in.ALPN, chains[1].ALPN)
	}
	if got := Names(ListenerFilters(listener)); !reflect.DeepEqual(got, []string{"tls_inspector", "http_inspector"}) {
		t.Errorf("listener filters = %v", got)
	}
}

func TestChainsOfABrokenListener(t *testing.T) {
	broken := wrap(t, &hcmv3.HttpConnectionManager{})
	broken.Value = []byte{0xff}
	_, err := Chains(&listenerv3.Listener{Name: "l", FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{
		{Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: broken}},
	}}}})
	if err == nil {
		t.Error("no error")
	}
}

func TestCluster(t *testing.T) {
	cluster := &clusterv3.Cluster{
		Name:    "c",
		Filters: []*clusterv3.Filter{{Name: "istio.metadata_exchange"}},
		TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{{
			Name: "tlsMode-istio",
			TransportSocket: tlsSocket(t, &tlsv3.UpstreamTlsContext{
				CommonTlsContext: &tlsv3.CommonTlsContext{AlpnProtocols: []string{"istio"}},
			}),
		}, {Name: "tlsMode-disabled"}},
	}
	offered, err := ClusterALPN(cluster)
	if err != nil || !reflect.DeepEqual(offered, map[string][]string{"tlsMode-istio": {"istio"}}) {
		t.Errorf("ALPN = %v, %v", offered, err)
	}
	if got := Names(ClusterFilters(cluster)); !reflect.DeepEqual(got, []string{"istio.metadata_exchange"}) {
		t.Errorf("filters = %v", got)
	}
}

func TestMirrors(t *testing.T) {
	fraction := func(parts uint32, of typev3.FractionalPercent_DenominatorType) *corev3.RuntimeFractionalPercent {
		return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: parts, Denominator: of}}
	}
	route := &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{
			Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "a"}, {Name: "b"}},
		}},
		RequestMirrorPolicies: []*routev3.RouteAction_RequestMirrorPolicy{
			{Cluster: "c", RuntimeFraction: fraction(100, typev3.FractionalPercent_HUNDRED), TraceSampled: wrapperspb.Bool(false)},
			{Cluster: "d", RuntimeFraction: fraction(500_000, typev3.FractionalPercent_MILLION)},
			{Cluster: "e"},
		},
	}}}
	want := []Mirror{{"c", 100, 100, false}, {"d", 500_000, 1_000_000, true}, {"e", 100, 100, true}}
	if got := Mirrors(route); !reflect.DeepEqual(got, want) {
		t.Errorf("mirrors = %v, want %v", got, want)
	}
	if got := Mirrors(&routev3.Route{}); len(got) != 0 {
		t.Errorf("mirrors of a bare route = %v", got)
	}
	if got := Destinations(route); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("destinations = %v", got)
	}
}

func TestVirtualHost(t *testing.T) {
	configs := []*routev3.RouteConfiguration{{VirtualHosts: []*routev3.VirtualHost{{Name: "one", Domains: []string{"b", "b.ns"}}}}}
	if got := VirtualHost(configs, "b.ns").GetName(); got != "one" {
		t.Errorf("virtual host = %q", got)
	}
	if VirtualHost(configs, "c") != nil {
		t.Error("found a virtual host for an unknown domain")
	}
}

func TestServiceOf(t *testing.T) {
	direction, port, subset, host, ok := ServiceOf("outbound|80|v1|b.ns.svc.cluster.local")
	if !ok || direction != "outbound" || port != "80" || subset != "v1" || host != "b.ns.svc.cluster.local" {
		t.Errorf("got %s %s %s %s %v", direction, port, subset, host, ok)
	}
	if _, _, _, _, ok := ServiceOf("PassthroughCluster"); ok {
		t.Error("PassthroughCluster taken for a service")
	}
}

func TestAddress(t *testing.T) {
	socket := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "::1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 80},
	}}}
	pipe := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/x"}}}
	for want, address := range map[string]*corev3.Address{"[::1]:80": socket, "unix:/x": pipe, "": {}} {
		if got := Address(address); got != want {
			t.Errorf("Address = %q, want %q", got, want)
		}
	}
}
