package envoy

import "testing"

func TestFilterName(t *testing.T) {
	for name, want := range map[string]string{
		"extenstions.istio.io/wasmplugin/ns.plugin": "ns.plugin",
		"ns.plugin":               "ns.plugin",
		"envoy.filters.http.rbac": "envoy.filters.http.rbac",
	} {
		if got := FilterName(name); got != want {
			t.Errorf("FilterName(%q) = %q, want %q", name, got, want)
		}
	}
}
