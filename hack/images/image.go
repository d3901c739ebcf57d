package images

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"mesh-conformance/kindconfig"
)

// Roles of an image in a cell.
const (
	RoleSubject    = "subject"
	RoleRelease    = "release"
	RoleKubernetes = "kubernetes"
	RoleInstrument = "instrument"
)

// Sources of an image.
const (
	SourceBuilt     = "built"
	SourcePublished = "published"
)

// imageSpec says how one image is put together without an engine.
type imageSpec struct {
	name string
	role string
	// references the node knows it by; the first is the one reported.
	references []string
	// base is a root file system artifact, or nil for an image from scratch.
	base *artifact
	// files are resolved when their artifacts exist.
	files  func() ([]file, error)
	needs  []*artifact
	config v1.Config
	extra  []string
}

// defaultPath is set in every image: a user who opens a shell or execs a program finds it.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ociDir and imageFile are the two parts of an image artifact: an OCI layout and its description.
const (
	ociDir    = "oci"
	imageFile = "image.json"
)

// image is the artifact of one image: an OCI layout with uncompressed layers.
func (b *Builder) image(spec imageSpec) *artifact {
	config, _ := json.Marshal(spec.config) // a struct of strings and maps always marshals
	needs := spec.needs
	if spec.base != nil {
		needs = append([]*artifact{spec.base}, needs...)
	}
	inputs := append([]string{string(config), fmt.Sprint(spec.references), b.goarch, spec.role}, spec.extra...)
	build := func(_ context.Context, out string, _ io.Writer) error {
		img, err := b.assemble(spec, out)
		if err != nil {
			return err
		}
		if err := writeLayout(filepath.Join(out, ociDir), img, spec.references, v1.Platform{OS: "linux", Architecture: b.goarch}); err != nil {
			return err
		}
		digest, err := img.Digest()
		if err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(out, "layer.tar")); err != nil {
			return err
		}
		return writeJSON(filepath.Join(out, imageFile),
			kindconfig.Image{Name: spec.name, Reference: spec.references[0], Digest: digest.String(), Source: SourceBuilt, Role: spec.role})
	}
	return &artifact{name: "image-" + spec.name, inputs: inputs, needs: needs, expect: time.Second, build: build}
}

// writeLayout writes an OCI layout in which an image has every reference.
func writeLayout(to string, img v1.Image, references []string, platform v1.Platform) error {
	path, err := layout.Write(to, empty.Index)
	if err != nil {
		return err
	}
	for _, reference := range references {
		// containerd names an imported image by the first annotation, other tools by the second.
		annotations := map[string]string{
			"io.containerd.image.name":          reference,
			"org.opencontainers.image.ref.name": reference,
		}
		if err := path.AppendImage(img, layout.WithAnnotations(annotations), layout.WithPlatform(platform)); err != nil {
			return err
		}
	}
	return nil
}

// assemble stacks the base's layer and one layer of files.
func (b *Builder) assemble(spec imageSpec, out string) (v1.Image, error) {
	var paths []string
	if spec.base != nil {
		paths = append(paths, filepath.Join(b.store.path(spec.base), rootfsFile))
	}
	files, err := spec.files()
	if err != nil {
		return nil, err
	}
	own := filepath.Join(out, "layer.tar")
	if err := writeLayer(own, files); err != nil {
		return nil, err
	}
	return assembleImage(append(paths, own), spec.config, b.goarch)
}

// assembleImage makes an OCI image of tar layers.
func assembleImage(layerPaths []string, config v1.Config, arch string) (v1.Image, error) {
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for _, path := range layerPaths {
		layer, err := openLayer(path)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", arch, config
	file.Created = v1.Time{Time: epoch}
	return mutate.ConfigFile(img, file)
}

// describe reads the description of a finished image artifact.
func (s store) describe(a *artifact) (kindconfig.Image, error) {
	var image kindconfig.Image
	content, err := os.ReadFile(filepath.Join(s.path(a), imageFile))
	if err != nil {
		return image, err
	}
	return image, json.Unmarshal(content, &image)
}

func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
