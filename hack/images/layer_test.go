package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestWriteLayer(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, []byte("copied"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []file{
		{to: "/usr/local/bin/tool", from: source, mode: 0o755},
		{to: "/etc/motd", content: "hello", mode: 0o644, uid: 1337},
		{to: "/etc/link", link: "/etc/motd"},
		{to: "/etc", dir: true, mode: 0o700},
		{to: "relative/../clean", mode: 0o600},
	}
	first, second := filepath.Join(dir, "first.tar"), filepath.Join(dir, "second.tar")
	if err := writeLayer(first, files); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files)
	if err := os.Chtimes(source, epoch, epoch); err != nil {
		t.Fatal(err)
	}
	if err := writeLayer(second, files); err != nil {
		t.Fatal(err)
	}
	content := read(t, first)
	if !bytes.Equal(content, read(t, second)) {
		t.Error("the same files in another order, with other times, gave another layer")
	}

	type entry struct {
		Name, Link, Content string
		Type                byte
		Mode                int64
		UID                 int
	}
	want := []entry{
		{Name: "clean", Type: tar.TypeReg, Mode: 0o600},
		{Name: "etc/", Type: tar.TypeDir, Mode: 0o700},
		{Name: "etc/link", Type: tar.TypeSymlink, Link: "/etc/motd", Mode: 0o777},
		{Name: "etc/motd", Type: tar.TypeReg, Content: "hello", Mode: 0o644, UID: 1337},
		{Name: "usr/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/bin/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/bin/tool", Type: tar.TypeReg, Content: "copied", Mode: 0o755},
	}
	var got []entry
	archive := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(epoch) {
			t.Errorf("%s is of %s", header.Name, header.ModTime)
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{header.Name, header.Linkname, string(body), header.Typeflag, header.Mode, header.Uid})
	}
	slices.SortFunc(got, func(a, b entry) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWriteLayerSaysWhatIsMissing(t *testing.T) {
	err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), []file{{to: "/bin/x", from: "/nonexistent/x"}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestOpenLayer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "layer.tar")
	if err := writeLayer(path, []file{{to: "/a", content: "a", mode: 0o644}}); err != nil {
		t.Fatal(err)
	}
	content := read(t, path)
	sum := sha256.Sum256(content)
	layer, err := openLayer(path)
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := layer.Digest()
	diffID, _ := layer.DiffID()
	size, _ := layer.Size()
	media, _ := layer.MediaType()
	if digest.Hex != hex.EncodeToString(sum[:]) || diffID != digest || size != int64(len(content)) || media != types.OCIUncompressedLayer {
		t.Errorf("digest %s, diff id %s, size %d, %s", digest, diffID, size, media)
	}
	if _, err := openLayer(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing layer: %v", err)
	}
}

func TestAssembleImage(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"base", "own"} {
		path := filepath.Join(dir, name)
		if err := writeLayer(path, []file{{to: name, content: name, mode: 0o644}}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	config := v1.Config{User: "1337:1337", Entrypoint: []string{"/x"}, Env: []string{defaultPath}}
	digest := func(paths []string, config v1.Config) string {
		image, err := assembleImage(paths, config, "arm64")
		if err != nil {
			t.Fatal(err)
		}
		hash, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return hash.String()
	}
	image, err := assembleImage(paths, config, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.OS != "linux" || file.Architecture != "arm64" || file.Config.User != "1337:1337" || len(file.RootFS.DiffIDs) != 2 {
		t.Errorf("config %+v", file)
	}
	want := digest(paths, config)
	if digest(paths, config) != want {
		t.Error("the same image twice has two digests")
	}
	if digest(paths[:1], config) == want || digest(paths, v1.Config{}) == want {
		t.Error("another image has the same digest")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
