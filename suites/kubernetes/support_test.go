package kubernetes

import (
	"testing"

	"mesh-conformance/kindconfig"
)

func TestSupportedBy(t *testing.T) {
	for base, want := range map[string]supported{
		"1.20.7": {"1.24.17", "1.25.0", "1.25"}, "1.21.3": {"1.25.17", "1.26.0", "1.26"}, "1.20": {"1.24.17", "1.25.0", "1.25"},
	} {
		if got, err := supportedBy(kindconfig.Subject{Base: base}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", base, got, err)
		}
	}
	for _, base := range []string{"1.99.0", "unknown"} {
		if got, err := supportedBy(kindconfig.Subject{Base: base}); err == nil {
			t.Errorf("%s: %+v", base, got)
		}
	}
}
