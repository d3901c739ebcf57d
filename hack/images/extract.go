package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"mesh-conformance/hack/problem"
)

// programOf is the artifact of a program that a pulled image carries below /usr/local/bin, for use on this machine.
func (p *planner) programOf(program string, image *artifact) *artifact {
	return p.keep(&artifact{
		name: program + "-of-" + image.name, inputs: []string{program}, needs: []*artifact{image}, expect: 5 * time.Second,
		build: func(_ context.Context, out string, _ io.Writer) error {
			return extractProgram(filepath.Join(p.b.store.path(image), ociDir), program, filepath.Join(out, program))
		},
	}, nil)
}

// extractProgram writes /usr/local/bin/<program> of the image in an OCI layout to a file.
func extractProgram(oci, program, to string) (err error) {
	index, err := layout.ImageIndexFromPath(oci)
	if err != nil {
		return fmt.Errorf("read a pulled image: %w", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) == 0 {
		return fmt.Errorf("a pulled image has no manifest: %w", err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return fmt.Errorf("read a pulled image: %w", err)
	}
	content := mutate.Extract(image)
	defer func() { err = errors.Join(err, content.Close()) }()
	files := tar.NewReader(content)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return problem.Usage("the image carries no /usr/local/bin/"+program, manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"],
				"name an image of Istio")
		}
		if err != nil {
			return fmt.Errorf("read a pulled image: %w", err)
		}
		if clean(header.Name) != "usr/local/bin/"+program || header.Typeflag != tar.TypeReg {
			continue
		}
		file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, files)
		return errors.Join(err, file.Close())
	}
}
