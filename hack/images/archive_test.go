package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// smallImage is the artifact of an image that holds one file on top of a base.
func smallImage(b *Builder, name string, base *artifact, references ...string) *artifact {
	return b.image(imageSpec{
		name: name, role: RoleInstrument, references: references, base: base,
		files: func() ([]file, error) { return []file{{to: "/" + name, content: name, mode: 0o644}}, nil },
	})
}

func TestWriteArchive(t *testing.T) {
	b := &Builder{store: store{dir: t.TempDir()}, goarch: "amd64"}
	base := bareRootfs()
	one := smallImage(b, "one", base, "localhost/one:1", "example.com/also/one:1")
	two := smallImage(b, "two", base, "localhost/two:2")
	if err := b.store.realise(t.Context(), []*artifact{one, two}, &recorder{}); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "images.tar")
	if err := b.writeArchive(to, []*artifact{one, two}); err != nil {
		t.Fatal(err)
	}
	content := archiveContent(t, to)

	// A shared base layer, and of each image a layer, a configuration and a manifest.
	if len(content) != 2+1+2*3 {
		t.Errorf("the archive holds %d files", len(content))
	}
	if string(content["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout: %s", content["oci-layout"])
	}
	if got, want := namesIn(t, content), []string{"localhost/one:1", "example.com/also/one:1", "localhost/two:2"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}

	for a, of := range map[*artifact]string{one: "localhost/one:1", two: "localhost/two:2"} {
		image, err := b.store.describe(a)
		if err != nil || image.Reference != of || image.Source != SourceBuilt || image.Role != RoleInstrument {
			t.Errorf("description %+v, %v", image, err)
		}
		if _, ok := content["blobs/sha256/"+image.Digest[len("sha256:"):]]; !ok {
			t.Errorf("the manifest %s of %s is not in the archive", image.Digest, of)
		}
	}
}

func TestWriteArchiveOfWhatIsNotThere(t *testing.T) {
	b := &Builder{store: store{dir: t.TempDir()}, goarch: "amd64"}
	if err := b.writeArchive(filepath.Join(t.TempDir(), "images.tar"), []*artifact{{name: "none"}}); err == nil {
		t.Error("an image that was never built is no error")
	}
}

// bareRootfs stands for a root file system.
func bareRootfs() *artifact {
	return &artifact{name: "base", build: func(_ context.Context, out string, _ io.Writer) error {
		return writeLayer(filepath.Join(out, rootfsFile), []file{{to: "/etc/os-release", content: "ID=none", mode: 0o644}})
	}}
}

// archiveContent checks that every blob is what its name says and in the archive once.
func archiveContent(t *testing.T, path string) map[string][]byte {
	t.Helper()
	content := map[string][]byte{}
	archive := tar.NewReader(bytes.NewReader(read(t, path)))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return content
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if content[header.Name] != nil {
			t.Errorf("%s is there twice", header.Name)
		}
		content[header.Name] = body
		if dir, name := filepath.Split(header.Name); dir == "blobs/sha256/" {
			if hash, _, err := v1.SHA256(bytes.NewReader(body)); err != nil || hash.Hex != name {
				t.Errorf("blob %s has the digest %s, %v", name, hash, err)
			}
		}
	}
}

// namesIn are the names under which containerd and others import the images of an archive, which agree.
func namesIn(t *testing.T, content map[string][]byte) []string {
	t.Helper()
	var index v1.IndexManifest
	if err := json.Unmarshal(content["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, manifest := range index.Manifests {
		name := manifest.Annotations["io.containerd.image.name"]
		if other := manifest.Annotations["org.opencontainers.image.ref.name"]; other != name {
			t.Errorf("containerd would name it %q, others %q", name, other)
		}
		if manifest.Platform == nil || manifest.Platform.OS != "linux" {
			t.Errorf("%s is of platform %v", name, manifest.Platform)
		}
		names = append(names, name)
	}
	return names
}
