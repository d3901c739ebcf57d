package images

import (
	"testing"

	"mesh-conformance/kindconfig"
)

func TestAMirrorsDigestsUnpinTheSubject(t *testing.T) {
	b, _, _ := newPlanner(t)
	digestOf := map[string]string{"pilot": nodeDigest}
	for version, pins := range b.versions.Istio {
		pins.Published = kindconfig.Hub{Hub: "docker.io/istio", Tag: version, Digests: digestOf}
		b.versions.Istio[version] = pins
	}
	for name, c := range map[string]struct {
		source    string
		reference string
		digest    string
		want      bool
	}{
		"no digests":                     {SourcePublished, "docker.io/istio/other:1.20.0", nodeID, false},
		"another pilot":                  {SourcePublished, "istio/pilot:1.20.0", nodeID, true},
		"the pinned pilot":               {SourcePublished, "istio/pilot:1.20.0", nodeDigest, false},
		"a proxy that is not pinned":     {SourcePublished, "docker.io/istio/proxyv2:1.20.0", nodeID, true},
		"the image that has istioctl":    {SourcePublished, "docker.io/istio/istioctl:1.20.0", nodeID, true},
		"a release beside the subject":   {SourcePublished, "docker.io/istio/pilot:1.19.0", nodeID, false},
		"a subject that is built":        {SourceBuilt, "docker.io/istio/pilot:1.20.0", nodeID, false},
		"an instrument of any reference": {SourcePublished, "docker.io/istio/echo:1.20.0", nodeID, false},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := digestKey(c.reference)
			if err != nil {
				t.Fatal(err)
			}
			b.digests = Digests{key: c.digest}
			p := &plan{subject: mesh{source: c.source, hub: "docker.io/istio", tag: "1.20.0"}}
			images := []kindconfig.Image{
				{Reference: "docker.io/istio/pilot:1.20.0", Role: RoleSubject}, {Reference: "docker.io/istio/proxyv2:1.20.0", Role: RoleSubject},
				{Reference: "docker.io/istio/pilot:1.19.0", Role: RoleRelease}, {Reference: "docker.io/istio/echo:1.20.0", Role: RoleInstrument},
			}
			if got := b.replaced(p, images); got != c.want {
				t.Errorf("replaced: %t", got)
			}
		})
	}
}
