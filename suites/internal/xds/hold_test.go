package xds

import (
	"context"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

func TestHoldStaysConnectedAndAcknowledges(t *testing.T) {
	istiod := &fakeIstiod{script: map[string][][]proto.Message{
		// The second set of clusters comes after everything else has been given, or before: it is taken either way.
		typeCluster:  {{}, {}},
		typeListener: {{listenerOf(t, "l", "80")}},
		typeRoute:    {{&routev3.RouteConfiguration{Name: "80"}}},
	}}
	session, err := Hold(t.Context(), istiod.connect(t), ghost)
	if err != nil {
		t.Fatal(err)
	}
	// One request and one acknowledgement per answer.
	deadline := time.Now().Add(5 * time.Second)
	for len(istiod.sent(typeCluster)) < 3 || len(istiod.sent(typeRoute)) < 2 {
		if time.Now().After(deadline) {
			t.Fatalf("sent %v and %v", istiod.sent(typeCluster), istiod.sent(typeRoute))
		}
		time.Sleep(time.Millisecond)
	}
	if err := session.Stop(); err != nil {
		t.Error(err)
	}
}

func TestHoldFails(t *testing.T) {
	t.Run("when istiod hangs up", func(t *testing.T) {
		_, err := Hold(t.Context(), (&fakeIstiod{hangUp: true}).connect(t), ghost)
		if err == nil || !strings.Contains(err.Error(), "istiod ended the stream") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("at the end of its context", func(t *testing.T) {
		istiod := &fakeIstiod{script: map[string][][]proto.Message{typeCluster: {{}}}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := Hold(ctx, istiod.connect(t), ghost); err == nil || !strings.Contains(err.Error(), "did not serve node") {
			t.Errorf("err = %v", err)
		}
	})
}
