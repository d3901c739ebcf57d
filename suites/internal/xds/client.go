// Package xds asks istiod for a proxy's configuration as a proxy would, without being one:
// it shows what a control plane serves, filters that only Istio's own Envoy has included.
package xds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/xds/envoy"
)

// The resource types of a snapshot.
const (
	typeCluster  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	typeListener = "type.googleapis.com/envoy.config.listener.v3.Listener"
	typeRoute    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
)

// Ask takes one snapshot over a connection to istiod: clusters, listeners and the route
// configurations those listeners name, state of the world, each acknowledged. The node is
// gone from istiod when Ask returns.
func Ask(ctx context.Context, conn grpc.ClientConnInterface, node Node) (*Snapshot, error) {
	identity, err := node.proto()
	if err != nil {
		return nil, err
	}
	// Ends the stream on every way out.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask istiod as %s: %w", node.ID(), err)
	}
	dialogue := &dialogue{stream: stream, node: identity, answered: map[string]bool{}, snapshot: &Snapshot{}}
	if err := dialogue.run(); err != nil {
		return nil, fmt.Errorf("ask istiod as %s: %w", node.ID(), err)
	}
	return dialogue.snapshot, nil
}

// dialogue is one ADS stream. Istiod pushes when it likes: an answer may come twice, and a
// second set of listeners may name other routes than the first.
type dialogue struct {
	stream   grpc.BidiStreamingClient[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]
	node     *corev3.Node
	answered map[string]bool
	// routes are the names last asked for.
	routes   []string
	snapshot *Snapshot
}

func (d *dialogue) run() error {
	for _, kind := range []string{typeCluster, typeListener} {
		if err := d.send(&discoveryv3.DiscoveryRequest{TypeUrl: kind}); err != nil {
			return err
		}
	}
	for missing := d.missing(); missing != ""; missing = d.missing() {
		response, err := d.stream.Recv()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", missing, ended(err))
		}
		if err := d.take(response); err != nil {
			return err
		}
	}
	return d.stream.CloseSend()
}

// ended gives the end of a stream a name that says more than EOF.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("istiod ended the stream: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func (d *dialogue) send(request *discoveryv3.DiscoveryRequest) error {
	// Istiod reads the node from the first request only; repeating it costs nothing.
	request.Node = d.node
	if err := d.stream.Send(request); err != nil {
		if errors.Is(err, io.EOF) {
			err = d.verdict()
		}
		return fmt.Errorf("request %s: %w", request.GetTypeUrl(), err)
	}
	return nil
}

// verdict is why a stream that takes no more requests has ended: gRPC keeps it behind the answers
// that came before it.
func (d *dialogue) verdict() error {
	for {
		if _, err := d.stream.Recv(); err != nil {
			return ended(err)
		}
	}
}

// missing says what the snapshot still lacks. Routes count by name: an answer to an older
// subscription may be on its way, and istiod answers every name, if only with an empty route.
func (d *dialogue) missing() string {
	for _, kind := range []string{typeCluster, typeListener} {
		if !d.answered[kind] {
			return kind
		}
	}
	held := map[string]bool{}
	for _, route := range d.snapshot.Routes {
		held[route.GetName()] = true
	}
	lacking := slices.DeleteFunc(slices.Clone(d.routes), func(name string) bool { return held[name] })
	if len(lacking) > 0 {
		return fmt.Sprintf("%s %s", typeRoute, strings.Join(lacking, ", "))
	}
	return ""
}

// take decodes one response, acknowledges it and asks for the routes of new listeners.
func (d *dialogue) take(response *discoveryv3.DiscoveryResponse) (err error) {
	kind := response.GetTypeUrl()
	acknowledgement := &discoveryv3.DiscoveryRequest{
		TypeUrl: kind, VersionInfo: response.GetVersionInfo(), ResponseNonce: response.GetNonce(),
	}
	switch kind {
	case typeCluster:
		d.snapshot.Clusters, err = decode[clusterv3.Cluster](response.GetResources())
	case typeListener:
		d.snapshot.Listeners, err = decode[listenerv3.Listener](response.GetResources())
	case typeRoute:
		d.snapshot.Routes, err = decode[routev3.RouteConfiguration](response.GetResources())
		acknowledgement.ResourceNames = d.routes
	default:
		return fmt.Errorf("istiod sent %s, which nobody asked for", kind)
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", kind, err)
	}
	d.answered[kind] = true
	if err := d.send(acknowledgement); err != nil {
		return err
	}
	if kind != typeListener {
		return nil
	}
	return d.follow()
}

// follow subscribes to the routes the listeners name, unless that is what is subscribed to.
func (d *dialogue) follow() error {
	names, err := routeNames(d.snapshot.Listeners)
	if err != nil || slices.Equal(names, d.routes) {
		return err
	}
	d.routes, d.snapshot.Routes = names, nil
	if len(names) == 0 {
		return nil
	}
	return d.send(&discoveryv3.DiscoveryRequest{TypeUrl: typeRoute, ResourceNames: names})
}

func routeNames(listeners []*listenerv3.Listener) ([]string, error) {
	var names []string
	for _, listener := range listeners {
		chains, err := envoy.Chains(listener)
		if err != nil {
			return nil, err
		}
		for _, chain := range chains {
			if chain.RouteName != "" {
				names = append(names, chain.RouteName)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func decode[R any, P interface {
	*R
	proto.Message
}](resources []*anypb.Any) ([]P, error) {
	decoded := make([]P, 0, len(resources))
	for _, resource := range resources {
		message := P(new(R))
		if err := resource.UnmarshalTo(message); err != nil {
			return nil, err
		}
		decoded = append(decoded, message)
	}
	return decoded, nil
}
