package standin

import (
	"testing"

	"mesh-conformance/kindconfig"
)

func TestNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		extensions []string
		want       bool
	}{
		"extensions that were not read": {nil, true},
		"upstream's Envoy":              {[]string{"envoy.filters.http.jwt_authn"}, true},
		"Istio's other extensions":      {[]string{kindconfig.ExtensionALPN, kindconfig.ExtensionHTTPStats}, true},
		"the filter itself":             {[]string{kindconfig.ExtensionAuthn}, false},
	} {
		if got := needed(c.extensions); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
