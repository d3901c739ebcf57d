package proxy

import (
	"context"
	"maps"
	"net/http"
	"testing"

	"mesh-conformance/suites/internal/kube"
)

const ecdsPath = "/config_dump?include_eds=&mask=ecds_filters"

var discovering = recorded{ecdsPath: "ecds_filters.json"}

// refusing answers everything with one status.
type refusing kube.StatusError

func (r refusing) PodGet(context.Context, string, string, int, string) ([]byte, error) {
	return nil, &kube.StatusError{Code: r.Code, Head: r.Head}
}

func TestDiscoveredFilters(t *testing.T) {
	got, err := discovering.proxy().DiscoveredFilters(t.Context())
	want := map[string]string{
		"ns.runs":    "envoy.extensions.filters.http.wasm.v3.Wasm",
		"ns.missing": "envoy.extensions.filters.http.rbac.v3.RBAC",
		"ns.counts":  "envoy.extensions.filters.network.wasm.v3.Wasm",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDiscoveredFiltersOfNone(t *testing.T) {
	none := refusing{Code: http.StatusBadRequest, Head: "FieldMask ecds_filters could not be successfully applied to any configs."}
	if got, err := (Proxy{cluster: none}).DiscoveredFilters(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without a section: %q, %v", got, err)
	}
	for name, other := range map[string]refusing{
		"another complaint": {Code: http.StatusBadRequest, Head: "no such thing"},
		"another status":    {Code: http.StatusNotFound, Head: none.Head},
	} {
		if got, err := (Proxy{cluster: other}).DiscoveredFilters(t.Context()); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestModuleOf(t *testing.T) {
	const module = "/var/lib/istio/data/aeb2/eb75.wasm"
	for filter, want := range map[string]string{"ns.runs": module, "ns.counts": module, "ns.missing": ""} {
		if got, err := discovering.proxy().ModuleOf(t.Context(), filter); err != nil || got != want {
			t.Errorf("%s: %q, %v", filter, got, err)
		}
	}
	if got, err := discovering.proxy().ModuleOf(t.Context(), "ns.other"); err == nil {
		t.Errorf("a filter that is not there: %q", got)
	}
}
