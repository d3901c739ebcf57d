package xds

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"mesh-conformance/suites/internal/kube"
)

// WorkloadWatch is a subscription to every workload an istiod knows, by delta ADS: what the proxy's
// discovery of its peers' metadata lives on.
type WorkloadWatch struct {
	stream grpc.BidiStreamingClient[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]
	node   *corev3.Node
	stop   func()

	mu       sync.Mutex
	answered int
	held     map[string]Workload
	err      error
}

// WatchWorkloads subscribes at a ready istiod of a revision, in its namespace, as a node would. The
// subscription lasts until Stop.
func WatchWorkloads(ctx context.Context, client *kube.Client, istiodNamespace, revision string, node Node) (*WorkloadWatch, error) {
	conn, err := connect(ctx, client, istiodNamespace, revision)
	if err != nil {
		return nil, err
	}
	watch, err := Watch(conn, node)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	end := watch.stop
	watch.stop = func() {
		end()
		_ = conn.Close()
	}
	return watch, nil
}

// WorkloadsOf asks a ready istiod of a revision, in its namespace, once for every workload it knows: state of
// the world, as a sidecar of the release does. An istiod that answers without a workload gives none, and no
// error.
func WorkloadsOf(ctx context.Context, client *kube.Client, istiodNamespace, revision string, node Node) ([]Workload, error) {
	conn, err := connect(ctx, client, istiodNamespace, revision)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return AskWorkloads(ctx, conn, node)
}

// AskWorkloads is WorkloadsOf over a connection to istiod.
func AskWorkloads(ctx context.Context, conn grpc.ClientConnInterface, node Node) ([]Workload, error) {
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
	if err := stream.Send(&discoveryv3.DiscoveryRequest{Node: identity, TypeUrl: TypeWorkload}); err != nil {
		return nil, fmt.Errorf("ask istiod as %s for workloads: %w", node.ID(), err)
	}
	response, err := stream.Recv()
	if err != nil {
		return nil, fmt.Errorf("ask istiod as %s for workloads: %w", node.ID(), ended(err))
	}
	if kind := response.GetTypeUrl(); kind != TypeWorkload {
		return nil, fmt.Errorf("istiod sent %s, which nobody asked for", kind)
	}
	workloads := make([]Workload, 0, len(response.GetResources()))
	for _, resource := range response.GetResources() {
		workload, err := parseWorkload(resource)
		if err != nil {
			return nil, err
		}
		workloads = append(workloads, workload)
	}
	return workloads, nil
}

// Watch subscribes over a connection to istiod.
func Watch(conn grpc.ClientConnInterface, node Node) (*WorkloadWatch, error) {
	identity, err := node.proto()
	if err != nil {
		return nil, err
	}
	// It outlives the call, and the step of a spec that makes it.
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("ask istiod as %s: %w", node.ID(), err)
	}
	done := make(chan struct{})
	watch := &WorkloadWatch{stream: stream, node: identity, held: map[string]Workload{}, stop: func() {
		cancel()
		<-done
	}}
	go func() {
		defer close(done)
		err := watch.follow()
		watch.mu.Lock()
		defer watch.mu.Unlock()
		watch.err = fmt.Errorf("ask istiod as %s for workloads: %w", node.ID(), ended(err))
	}()
	return watch, nil
}

// Stop ends the subscription.
func (w *WorkloadWatch) Stop() { w.stop() }

// follow takes responses until the stream ends and acknowledges each. No names are a wildcard.
func (w *WorkloadWatch) follow() error {
	request := &discoveryv3.DeltaDiscoveryRequest{Node: w.node, TypeUrl: TypeWorkload}
	for {
		if err := w.stream.Send(request); err != nil {
			return err
		}
		response, err := w.stream.Recv()
		if err != nil {
			return err
		}
		if err := w.take(response); err != nil {
			return err
		}
		request = &discoveryv3.DeltaDiscoveryRequest{TypeUrl: TypeWorkload, ResponseNonce: response.GetNonce()}
	}
}

func (w *WorkloadWatch) take(response *discoveryv3.DeltaDiscoveryResponse) error {
	if kind := response.GetTypeUrl(); kind != TypeWorkload {
		return fmt.Errorf("istiod sent %s, which nobody asked for", kind)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, resource := range response.GetResources() {
		workload, err := parseWorkload(resource.GetResource())
		if err != nil {
			return err
		}
		w.held[resource.GetName()] = workload
	}
	for _, name := range response.GetRemovedResources() {
		delete(w.held, name)
	}
	w.answered++
	return nil
}

// In gives the workloads of a namespace, by their pods' names in order. Before istiod's first answer,
// and after the subscription's end, it is an error: not to know is not the same as none.
func (w *WorkloadWatch) In(namespace string) ([]Workload, error) {
	all, err := w.All()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(workload Workload) bool { return workload.Namespace != namespace }), nil
}

// All is In for every namespace that the istiod looks at.
func (w *WorkloadWatch) All() ([]Workload, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	if w.answered == 0 {
		return nil, fmt.Errorf("istiod has not yet answered the request for %s", TypeWorkload)
	}
	return slices.SortedFunc(maps.Values(w.held), func(a, b Workload) int { return strings.Compare(a.UID, b.UID) }), nil
}
