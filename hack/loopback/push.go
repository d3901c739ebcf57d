package loopback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"
)

// options of a client that has the registry's password and trusts its authority.
func (s *Server) options(ctx context.Context) ([]remote.Option, error) {
	authority, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s has no certificate", s.CAFile)
	}
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: User, Password: s.Password}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}),
	}, nil
}

// At is where a mirror has what a published reference names, 127.0.0.1:PORT/istio/pilot:1.20.0 for
// docker.io/istio/pilot:1.20.0.
func (s *Server) At(published string) (name.Tag, error) {
	tag, err := name.NewTag(published)
	if err != nil {
		return name.Tag{}, err
	}
	return name.NewTag(s.Host + "/" + tag.RepositoryStr() + ":" + tag.TagStr())
}

// PushLayout serves the one image of an OCI layout under a published reference and returns its digest.
func (s *Server) PushLayout(ctx context.Context, dir, published string) (string, error) {
	image, err := layoutImage(dir)
	if err != nil {
		return "", err
	}
	at, err := s.At(published)
	if err != nil {
		return "", err
	}
	options, err := s.options(ctx)
	if err != nil {
		return "", err
	}
	if err := remote.Write(at, image, options...); err != nil {
		return "", fmt.Errorf("push %s: %w", at, err)
	}
	digest, err := image.Digest()
	return digest.String(), err
}

// Digest asks the registry for the digest of what a published reference names there.
func (s *Server) Digest(ctx context.Context, published string) (string, error) {
	at, err := s.At(published)
	if err != nil {
		return "", err
	}
	options, err := s.options(ctx)
	if err != nil {
		return "", err
	}
	described, err := remote.Head(at, options...)
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w", at, err)
	}
	return described.Digest.String(), nil
}

// layoutImage opens the first image of an OCI layout; a layout of the cache has the same image under every name.
func layoutImage(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("open the layout %s: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) == 0 {
		return nil, fmt.Errorf("the layout %s has no image", dir)
	}
	return index.Image(manifest.Manifests[0].Digest)
}

// Layouts are the OCI layouts of built images below a cache, by the image's name and then the newest first by what
// built them last: pilot, proxyv2, install-cni, and of other releases pilot-1.19.0 and so on.
func Layouts(cache string) (map[string][]string, error) {
	found, err := filepath.Glob(filepath.Join(cache, "artifacts", "image-*", "oci"))
	if err != nil {
		return nil, err
	}
	layouts := map[string][]string{}
	for _, dir := range found {
		artifact := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), "image-")
		// Behind the last dash is the key of the artifact.
		end := strings.LastIndex(artifact, "-")
		if end < 0 {
			continue
		}
		layouts[artifact[:end]] = append(layouts[artifact[:end]], dir)
	}
	return layouts, nil
}

// WriteDigests writes the file for --mirror-digests: published references and the digests that the registry has.
func WriteDigests(path string, digests map[string]string) error {
	content, err := yaml.Marshal(digests)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
