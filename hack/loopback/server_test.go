package loopback

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestServesLayoutsUnderPublishedNames(t *testing.T) {
	s, err := Start(Options{Dir: t.TempDir(), Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	image, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	dir := filepath.Join(cache, "artifacts", "image-pilot-1.19.0-0123456789abcdef", "oci")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	layouts, err := Layouts(cache)
	if err != nil || len(layouts["pilot-1.19.0"]) != 1 {
		t.Fatalf("layouts %v, %v", layouts, err)
	}
	const published = "docker.io/istio/pilot:1.19.0"
	pushed, err := s.PushLayout(t.Context(), layouts["pilot-1.19.0"][0], published)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Digest(t.Context(), published); err != nil || got != pushed {
		t.Errorf("digest %s, %v; want %s", got, err, pushed)
	}
	at, err := s.At(published)
	if err != nil || at.Name() != s.Host+"/istio/pilot:1.19.0" {
		t.Errorf("at %v, %v", at, err)
	}
	options, err := s.options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(at, options[0], options[2]); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a password: %v", err)
	}
}

func TestStartRefusesOtherAddresses(t *testing.T) {
	if s, err := Start(Options{Dir: t.TempDir(), Address: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "no loopback address") {
		t.Errorf("%v, %v", s, err)
	}
}
