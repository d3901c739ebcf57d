package xds

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	udpa "github.com/cncf/xds/go/udpa/type/v1"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/xds/envoy"
)

// fakeIstiod answers each request that is no acknowledgement with what its script holds for
// the type: one response per entry, pushed at once. It writes down everything it is sent.
type fakeIstiod struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	script map[string][][]proto.Message
	// hangUp ends the stream at the first request.
	hangUp bool

	mu       sync.Mutex
	requests []*discoveryv3.DiscoveryRequest
}

func (f *fakeIstiod) StreamAggregatedResources(stream grpc.BidiStreamingServer[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]) error {
	for nonce := 'a'; ; {
		request, err := stream.Recv()
		if err != nil || f.hangUp {
			return nil
		}
		f.mu.Lock()
		f.requests = append(f.requests, request)
		f.mu.Unlock()
		if request.GetResponseNonce() != "" {
			continue
		}
		for _, resources := range f.script[request.GetTypeUrl()] {
			response := &discoveryv3.DiscoveryResponse{TypeUrl: request.GetTypeUrl(), VersionInfo: "v1", Nonce: string(nonce)}
			nonce++
			for _, resource := range resources {
				wrapped, err := anypb.New(resource)
				if err != nil {
					return err
				}
				response.Resources = append(response.Resources, wrapped)
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}

func (f *fakeIstiod) sent(typeURL string) []*discoveryv3.DiscoveryRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.requests), func(r *discoveryv3.DiscoveryRequest) bool { return r.GetTypeUrl() != typeURL })
}

func (f *fakeIstiod) connect(t *testing.T) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///istiod", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func wrap(t *testing.T, message proto.Message) *anypb.Any {
	t.Helper()
	wrapped, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// listenerOf has one chain whose connection manager asks for a route and runs Istio's stats.
func listenerOf(t *testing.T, name, route string) *listenerv3.Listener {
	stats := wrap(t, &udpa.TypedStruct{TypeUrl: "type.googleapis.com/stats.PluginConfig"})
	manager := &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: route}},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: "istio.stats", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: stats}},
			{Name: "envoy.filters.http.router"},
		},
	}
	return &listenerv3.Listener{Name: name, FilterChains: []*listenerv3.FilterChain{{
		Name: "chain",
		Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(t, manager)},
		}},
	}}}
}

var ghost = Node{
	Kind: Sidecar, IP: "10.0.0.1", Pod: "ghost", Namespace: "ns",
	Labels: map[string]string{"app": "ghost"}, IstioVersion: "1.20.0", Metadata: map[string]any{"NETWORK": "n1"},
}

func TestAskTakesASnapshotAndAcknowledges(t *testing.T) {
	istiod := &fakeIstiod{script: map[string][][]proto.Message{
		typeCluster:  {{&clusterv3.Cluster{Name: "outbound|80||b"}}},
		typeListener: {{listenerOf(t, "0.0.0.0_80", "80"), listenerOf(t, "0.0.0.0_90", "80")}},
		typeRoute:    {{&routev3.RouteConfiguration{Name: "80"}}},
	}}
	snapshot, err := Ask(t.Context(), istiod.connect(t), ghost)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Cluster("outbound|80||b"); err != nil {
		t.Error(err)
	}
	if _, err := snapshot.Route("80"); err != nil {
		t.Error(err)
	}
	chains, err := snapshot.Chain("0.0.0.0_80", "chain")
	if err != nil || len(chains) != 1 {
		t.Fatalf("Chain = %v, %v", chains, err)
	}
	if names := envoy.Names(chains[0].HTTP); !slices.Equal(names, []string{"istio.stats", "envoy.filters.http.router"}) {
		t.Errorf("HTTP filters = %v", names)
	}
	if got := chains[0].HTTP[0].Type; got != "stats.PluginConfig" {
		t.Errorf("type of a TypedStruct = %q", got)
	}

	routes := istiod.sent(typeRoute)
	if len(routes) == 0 || !slices.Equal(routes[0].GetResourceNames(), []string{"80"}) {
		t.Errorf("asked for routes %v", routes)
	}
	acknowledged := istiod.sent(typeCluster)
	if len(acknowledged) != 2 || acknowledged[1].GetVersionInfo() != "v1" || acknowledged[1].GetErrorDetail() != nil {
		t.Errorf("requests for clusters = %v", acknowledged)
	}
}

func TestAskIntroducesItselfAsAProxy(t *testing.T) {
	istiod := &fakeIstiod{script: map[string][][]proto.Message{typeCluster: {{}}, typeListener: {{}}}}
	if _, err := Ask(t.Context(), istiod.connect(t), ghost); err != nil {
		t.Fatal(err)
	}
	node := istiod.sent(typeCluster)[0].GetNode()
	if want := "sidecar~10.0.0.1~ghost.ns~ns.svc.cluster.local"; node.GetId() != want {
		t.Errorf("node id = %s", node.GetId())
	}
	metadata := node.GetMetadata().AsMap()
	for key, want := range map[string]any{
		"NAMESPACE": "ns", "ISTIO_VERSION": "1.20.0", "CLUSTER_ID": "Kubernetes", "NETWORK": "n1",
	} {
		if metadata[key] != want {
			t.Errorf("metadata %s = %v, want %v", key, metadata[key], want)
		}
	}
	if labels, ok := metadata["LABELS"].(map[string]any); !ok || labels["app"] != "ghost" {
		t.Errorf("metadata LABELS = %v", metadata["LABELS"])
	}
}

func TestAskFollowsASecondPush(t *testing.T) {
	istiod := &fakeIstiod{script: map[string][][]proto.Message{
		typeCluster:  {{}},
		typeListener: {{listenerOf(t, "l", "old")}, {listenerOf(t, "l", "new")}},
		// Either answer may come after the second subscription: only the one with its name completes it.
		typeRoute: {{&routev3.RouteConfiguration{Name: "old"}}, {&routev3.RouteConfiguration{Name: "new"}}},
	}}
	snapshot, err := Ask(t.Context(), istiod.connect(t), ghost)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Route("new"); err != nil {
		t.Error(err)
	}
}

func TestAskFails(t *testing.T) {
	t.Run("when istiod hangs up", func(t *testing.T) {
		istiod := &fakeIstiod{hangUp: true}
		_, err := Ask(t.Context(), istiod.connect(t), ghost)
		if err == nil || !strings.Contains(err.Error(), "istiod ended the stream") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("at the end of its context, naming the routes that lack", func(t *testing.T) {
		istiod := &fakeIstiod{script: map[string][][]proto.Message{
			typeCluster: {{}}, typeListener: {{listenerOf(t, "l", "80")}}, typeRoute: {{}},
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// Its request for routes and its acknowledgement of none: now it waits.
		go func() {
			for len(istiod.sent(typeRoute)) < 2 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		_, err := Ask(ctx, istiod.connect(t), ghost)
		if err == nil || !strings.Contains(err.Error(), "RouteConfiguration 80") || !strings.Contains(err.Error(), "Canceled") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("for metadata that is no data", func(t *testing.T) {
		node := ghost
		node.Metadata = map[string]any{"X": make(chan int)}
		if _, err := Ask(t.Context(), (&fakeIstiod{}).connect(t), node); err == nil {
			t.Error("no error")
		}
	})
}

// endedStream takes no request any more; what istiod had said before is still to be received.
type endedStream struct {
	grpc.ClientStream
	answers int
	verdict error
}

func (*endedStream) Send(*discoveryv3.DiscoveryRequest) error { return io.EOF }

func (s *endedStream) Recv() (*discoveryv3.DiscoveryResponse, error) {
	if s.answers == 0 {
		return nil, s.verdict
	}
	s.answers--
	return &discoveryv3.DiscoveryResponse{TypeUrl: typeCluster}, nil
}

func TestARequestOnAnEndedStreamSaysWhyItEnded(t *testing.T) {
	for name, test := range map[string]struct {
		stream *endedStream
		want   string
	}{
		"without a word":          {&endedStream{verdict: io.EOF}, "istiod ended the stream"},
		"with a status":           {&endedStream{verdict: status.Error(codes.Unavailable, "draining")}, "draining"},
		"behind unread answers":   {&endedStream{answers: 2, verdict: status.Error(codes.Unavailable, "draining")}, "draining"},
		"silently behind answers": {&endedStream{answers: 1, verdict: io.EOF}, "istiod ended the stream"},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&dialogue{stream: test.stream}).send(&discoveryv3.DiscoveryRequest{TypeUrl: typeListener})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), typeListener) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestSnapshotNamesWhatItHolds(t *testing.T) {
	snapshot := &Snapshot{
		Clusters:  []*clusterv3.Cluster{{Name: "a"}},
		Listeners: []*listenerv3.Listener{{Name: "l", Address: &corev3.Address{}, FilterChains: []*listenerv3.FilterChain{{Name: "c"}}}},
	}
	if _, err := snapshot.Cluster("b"); err == nil || !strings.Contains(err.Error(), `["a"]`) {
		t.Errorf("err = %v", err)
	}
	if _, err := snapshot.Chain("l", "d"); err == nil || !strings.Contains(err.Error(), `["c"]`) {
		t.Errorf("err = %v", err)
	}
	if _, err := snapshot.Route("r"); err == nil {
		t.Error("no error")
	}
}
