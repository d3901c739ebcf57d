package images

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"mesh-conformance/kindconfig"
)

func TestDecide(t *testing.T) {
	published := kindconfig.Hub{Hub: "docker.io/istio", Tag: "1.20.0"}
	status := func(code int) error { return fmt.Errorf("head: %w", &transport.Error{StatusCode: code}) }
	for name, c := range map[string]struct {
		choice      string
		hub         kindconfig.Hub
		answer      error
		source, why string
		asked       int
	}{
		"built as asked":     {SourceBuilt, published, nil, SourceBuilt, "as asked", 0},
		"published as asked": {SourcePublished, published, errors.New("down"), SourcePublished, "as asked", 0},
		"nothing pinned":     {ChoiceAuto, kindconfig.Hub{}, nil, SourceBuilt, "no published images are pinned", 0},
		"there":              {ChoiceAuto, published, nil, SourcePublished, "docker.io/istio/pilot:1.20.0 can be had", 1},
		"no answer":          {ChoiceAuto, published, errors.New("dial tcp"), SourceBuilt, "no image registry answered", 1},
		"a server's error":   {ChoiceAuto, published, status(http.StatusBadGateway), SourceBuilt, "no image registry answered", 1},
		"unknown":            {ChoiceAuto, published, status(http.StatusNotFound), SourceBuilt, "has no docker.io/istio/pilot:1.20.0", 1},
		"denied":             {ChoiceAuto, published, status(http.StatusUnauthorized), SourceBuilt, "refuses", 1},
		"limited":            {ChoiceAuto, published, status(http.StatusTooManyRequests), SourceBuilt, "refuses", 1},
	} {
		asked := 0
		source, why := decide(c.choice, kindconfig.Istio{Published: c.hub}, func(string) error {
			asked++
			return c.answer
		})
		if source != c.source || !strings.Contains(why, c.why) || asked != c.asked {
			t.Errorf("%s: %s (%s), asked %d times", name, source, why, asked)
		}
	}
}

func TestDecideAsksARegistry(t *testing.T) {
	fake := newFakeRegistry(t)
	istio := kindconfig.Istio{Published: kindconfig.Hub{Hub: fake.hub, Tag: "1.20.0"}}
	if source, why := Decide(t.Context(), ChoiceAuto, istio, Access{}); source != SourceBuilt || !strings.Contains(why, "has no") {
		t.Errorf("before the push: %s (%s)", source, why)
	}
	fake.push(t, "pilot", "1.20.0", "amd64")
	if source, why := Decide(t.Context(), ChoiceAuto, istio, Access{}); source != SourcePublished {
		t.Errorf("after the push: %s (%s)", source, why)
	}
}
