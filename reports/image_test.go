package reports

import "testing"

func TestProvenance(t *testing.T) {
	for want, image := range map[string]Image{
		"built":                              {Source: SourceBuilt},
		"published, read from m.example/p:1": {Source: SourcePublished, Mirror: "m.example/p:1"},
		"published, read from m.example/p:1 instead of the pinned sha256:1": {Source: SourcePublished, Mirror: "m.example/p:1", PinnedDigest: "sha256:1"},
	} {
		if got := image.Provenance(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
