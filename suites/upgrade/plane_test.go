package upgrade

import (
	"testing"

	"mesh-conformance/kindconfig"
)

func TestNamesThatFollowFromAVersion(t *testing.T) {
	for version, want := range map[string]struct{ revision, spoken string }{
		"1.20.0":                 {"1-20-0", "1.20.0"},
		"1.20.0-acme.3":          {"1-20-0-acme-3", "1.20.0"},
		"1.20.0-source-1a2b3c4d": {"1-20-0-source-1a2b3c4d", "1.20.0"},
		"1.20.0-Acme_3+x":        {"1-20-0-acme-3-x", "1.20.0-Acme_3+x"},
		"unknown":                {"unknown", "unknown"},
	} {
		release := kindconfig.Release{Istio: version}
		if got := revision(release); got != want.revision {
			t.Errorf("revision of %s is %s, want %s", version, got, want.revision)
		}
		if got := spoken(release); got != want.spoken {
			t.Errorf("istioctl says %s of %s, want %s", got, version, want.spoken)
		}
	}
}
