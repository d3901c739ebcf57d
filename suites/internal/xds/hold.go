package xds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// Session is a node that stays connected and takes every push: to istiod a proxy like any other.
type Session struct{ stop func() error }

// HoldOf connects a node to a ready istiod of a revision, in its namespace, and returns when it has been
// given its clusters, listeners and routes. It stays connected until Stop.
func HoldOf(ctx context.Context, client *kube.Client, istiodNamespace, revision string, node Node) (*Session, error) {
	conn, err := connect(ctx, client, istiodNamespace, revision)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, timing.Push())
	defer cancel()
	session, err := Hold(bounded, conn, node)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	end := session.stop
	session.stop = func() error { return errors.Join(end(), conn.Close()) }
	return session, nil
}

// Hold is HoldOf over a connection to istiod.
func Hold(ctx context.Context, conn grpc.ClientConnInterface, node Node) (*Session, error) {
	identity, err := node.proto()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	// It outlives the call, and the step of a spec that makes it.
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(lasting)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to istiod as %s: %w", node.ID(), err)
	}
	dialogue := &dialogue{stream: stream, node: identity, answered: map[string]bool{}, snapshot: &Snapshot{}}
	given, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- dialogue.hold(given) }()
	stop := func() error {
		// A stream that has ended by then was ended by istiod.
		select {
		case err := <-ended:
			cancel()
			return fmt.Errorf("the session of %s: %w", node.ID(), err)
		default:
		}
		cancel()
		<-ended
		return nil
	}
	select {
	case <-given:
		return &Session{stop: stop}, nil
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("connect to istiod as %s: %w", node.ID(), err)
	case <-ctx.Done():
		cancel()
		<-ended
		return nil, deadline.Missed(fmt.Sprintf("istiod did not serve node %s", node.ID()), begun, "", context.Cause(ctx))
	}
}

// Stop disconnects the node. It is an error if istiod did so before.
func (s *Session) Stop() error { return s.stop() }

// hold takes what istiod sends until the stream ends, and says when a first set is complete.
func (d *dialogue) hold(given chan<- struct{}) error {
	for _, kind := range []string{typeCluster, typeListener} {
		if err := d.send(&discoveryv3.DiscoveryRequest{TypeUrl: kind}); err != nil {
			return err
		}
	}
	complete := false
	for {
		response, err := d.stream.Recv()
		if errors.Is(err, io.EOF) {
			return ended(err)
		}
		if err != nil {
			return err
		}
		if err := d.take(response); err != nil {
			return err
		}
		if !complete && d.missing() == "" {
			complete = true
			close(given)
		}
	}
}
