package xds

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
)

// encoded is a workload on the wire, with fields in between that Workload does not have.
func encoded(uid, name, namespace string, addresses ...[]byte) *anypb.Any {
	var wire []byte
	text := func(number protowire.Number, value string) {
		wire = protowire.AppendTag(wire, number, protowire.BytesType)
		wire = protowire.AppendString(wire, value)
	}
	text(fieldName, name)
	text(fieldNamespace, namespace)
	for _, address := range addresses {
		wire = protowire.AppendTag(wire, fieldAddresses, protowire.BytesType)
		wire = protowire.AppendBytes(wire, address)
	}
	wire = protowire.AppendTag(wire, 12, protowire.VarintType)
	wire = protowire.AppendVarint(wire, 2)
	text(22, "a service")
	text(fieldServiceAccount, "account")
	text(fieldNode, "node")
	text(fieldCanonicalName, "canonical")
	text(fieldCanonicalRevision, "v1")
	text(fieldWorkloadName, "deployment")
	text(fieldClusterID, "Kubernetes")
	if uid != "" {
		text(fieldUID, uid)
	}
	return &anypb.Any{TypeUrl: TypeWorkload, Value: wire}
}

func TestParseWorkload(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	got, err := parseWorkload(encoded("Kubernetes//Pod/ns/a", "a", "ns", four.AsSlice(), six.AsSlice()))
	want := Workload{
		UID: "Kubernetes//Pod/ns/a", Name: "a", Namespace: "ns", Addresses: []netip.Addr{four, six}, ServiceAccount: "account",
		Node: "node", ClusterID: "Kubernetes", CanonicalName: "canonical", CanonicalRevision: "v1", WorkloadName: "deployment",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parseWorkload = %+v, %v", got, err)
	}
}

func TestParseWorkloadRefuses(t *testing.T) {
	cut := encoded("uid", "a", "ns")
	cut.Value = cut.Value[:len(cut.Value)-1]
	for name, c := range map[string]struct {
		resource *anypb.Any
		want     string
	}{
		"another type":          {&anypb.Any{TypeUrl: typeCluster}, "not a " + TypeWorkload},
		"a message cut short":   {cut, "unexpected EOF"},
		"bytes that no IP has":  {encoded("uid", "a", "ns", []byte{1, 2, 3}), "010203 is no address"},
		"a workload of no name": {encoded("", "a", "ns"), "no uid"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseWorkload(c.resource); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// deltaIstiod sends its script, a response each time the one before is acknowledged.
type deltaIstiod struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	// whole is the answer for state of the world; without one the stream just ends.
	whole    *discoveryv3.DiscoveryResponse
	script   []*discoveryv3.DeltaDiscoveryResponse
	requests chan *discoveryv3.DeltaDiscoveryRequest
}

func (d *deltaIstiod) DeltaAggregatedResources(stream grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]) error {
	for _, response := range d.script {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		d.requests <- request
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	d.requests <- request
	<-stream.Context().Done()
	return nil
}

func (d *deltaIstiod) StreamAggregatedResources(stream grpc.BidiStreamingServer[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]) error {
	request, err := stream.Recv()
	if err != nil || d.whole == nil || request.GetTypeUrl() != TypeWorkload || request.GetNode().GetId() != ghost.ID() {
		return err
	}
	return stream.Send(d.whole)
}

func (d *deltaIstiod) connect(t *testing.T) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, d)
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

func watched(t *testing.T, script ...*discoveryv3.DeltaDiscoveryResponse) (*WorkloadWatch, []*discoveryv3.DeltaDiscoveryRequest) {
	t.Helper()
	istiod := &deltaIstiod{script: script, requests: make(chan *discoveryv3.DeltaDiscoveryRequest, len(script)+1)}
	watch, err := Watch(istiod.connect(t), ghost)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watch.Stop)
	var requests []*discoveryv3.DeltaDiscoveryRequest
	for range len(script) + 1 {
		select {
		case request := <-istiod.requests:
			requests = append(requests, request)
		case <-time.After(5 * time.Second):
			t.Fatalf("only %d requests came", len(requests))
		}
	}
	return watch, requests
}

func response(nonce string, removed []string, resources ...*anypb.Any) *discoveryv3.DeltaDiscoveryResponse {
	answer := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: TypeWorkload, Nonce: nonce, RemovedResources: removed}
	for _, resource := range resources {
		workload, _ := parseWorkload(resource)
		answer.Resources = append(answer.Resources, &discoveryv3.Resource{Name: workload.UID, Resource: resource})
	}
	return answer
}

func names(t *testing.T, workloads []Workload, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, workload := range workloads {
		found = append(found, workload.Name)
	}
	return found
}

func TestWatchFollowsWhatComesAndGoes(t *testing.T) {
	watch, requests := watched(t,
		response("one", nil, encoded("uid-b", "b", "ns"), encoded("uid-a", "a", "ns"), encoded("uid-x", "x", "other")),
		response("two", []string{"uid-a"}, encoded("uid-c", "c", "ns")),
	)
	for i, nonce := range []string{"", "one", "two"} {
		if got := requests[i]; got.GetResponseNonce() != nonce || got.GetTypeUrl() != TypeWorkload || len(got.GetResourceNamesSubscribe()) > 0 {
			t.Errorf("request %d = %v", i, got)
		}
	}
	if requests[0].GetNode().GetId() != ghost.ID() {
		t.Errorf("node = %v", requests[0].GetNode())
	}
	all, err := watch.All()
	if got := names(t, all, err); !slices.Equal(got, []string{"b", "c", "x"}) {
		t.Errorf("all = %q", got)
	}
	own, err := watch.In("ns")
	if got := names(t, own, err); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("in ns = %q", got)
	}
}

func TestWatchTellsNoneFromNotKnown(t *testing.T) {
	silent, _ := watched(t)
	if _, err := silent.All(); err == nil || !strings.Contains(err.Error(), "not yet answered") {
		t.Errorf("before the first answer: %v", err)
	}
	none, _ := watched(t, response("one", nil))
	all, err := none.All()
	if got := names(t, all, err); len(got) > 0 {
		t.Errorf("after an empty answer = %q", got)
	}
	none.Stop()
	if _, err := none.All(); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("after the end: %v", err)
	}
}

func TestAskWorkloads(t *testing.T) {
	for name, c := range map[string]struct {
		whole *discoveryv3.DiscoveryResponse
		want  []string
		fails string
	}{
		"two":                  {whole: &discoveryv3.DiscoveryResponse{TypeUrl: TypeWorkload, Resources: []*anypb.Any{encoded("uid-a", "a", "ns"), encoded("uid-b", "b", "ns")}}, want: []string{"a", "b"}},
		"none":                 {whole: &discoveryv3.DiscoveryResponse{TypeUrl: TypeWorkload}},
		"no answer":            {fails: "istiod ended the stream"},
		"an answer of another": {whole: &discoveryv3.DiscoveryResponse{TypeUrl: typeCluster}, fails: "nobody asked for"},
		"what is no workload":  {whole: &discoveryv3.DiscoveryResponse{TypeUrl: TypeWorkload, Resources: []*anypb.Any{{TypeUrl: typeCluster}}}, fails: "the resource is a " + typeCluster},
	} {
		t.Run(name, func(t *testing.T) {
			workloads, err := AskWorkloads(t.Context(), (&deltaIstiod{whole: c.whole}).connect(t), ghost)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
				return
			}
			if got := names(t, workloads, err); !slices.Equal(got, c.want) {
				t.Errorf("workloads = %q", got)
			}
		})
	}
}
