package images

import (
	"archive/tar"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// writeArchive puts several image artifacts into one OCI archive; a blob they share is in it once.
func (b *Builder) writeArchive(to string, images []*artifact) (err error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	blobs := map[string]string{}
	for _, image := range images {
		dir := filepath.Join(b.store.path(image), ociDir)
		content, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil {
			return err
		}
		var own v1.IndexManifest
		if err := json.Unmarshal(content, &own); err != nil {
			return err
		}
		index.Manifests = append(index.Manifests, own.Manifests...)
		paths, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
		if err != nil {
			return err
		}
		for _, path := range paths {
			blobs[filepath.Base(path)] = path
		}
	}
	indexJSON, err := json.Marshal(index)
	if err != nil {
		return err
	}

	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := tar.NewWriter(out)
	files := []file{
		{to: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`, mode: 0o644},
		{to: "index.json", content: string(indexJSON), mode: 0o644},
	}
	names := make([]string, 0, len(blobs))
	for name := range blobs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		files = append(files, file{to: "blobs/sha256/" + name, from: blobs[name], mode: 0o644})
	}
	for _, f := range files {
		if err := writeEntry(archive, f); err != nil {
			return err
		}
	}
	return archive.Close()
}
