package images

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// file is one entry of a layer: a copy of from, or content, or a symbolic link, or a folder.
type file struct {
	to      string
	from    string
	content string
	link    string
	dir     bool
	mode    int64
	uid     int
}

// epoch makes layers depend on their content alone.
var epoch = time.Unix(0, 0)

// writeLayer writes files as an uncompressed tar: the node's containerd has to unpack it at start, and
// a copy is cheaper than a decompression on two cores. Parent folders are written where missing.
func writeLayer(to string, files []file) (err error) {
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
	sorted := append([]file(nil), files...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].to < sorted[j].to })
	folders := map[string]bool{}
	for _, f := range sorted {
		if f.dir {
			folders[clean(f.to)] = true
		}
	}
	written := map[string]bool{}
	for _, f := range sorted {
		if err := writeParents(archive, clean(f.to), written, folders); err != nil {
			return err
		}
		if err := writeEntry(archive, f); err != nil {
			return fmt.Errorf("layer entry %s: %w", f.to, err)
		}
		written[clean(f.to)] = true
	}
	return archive.Close()
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func writeParents(archive *tar.Writer, name string, written, explicit map[string]bool) error {
	var parents []string
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		parents = append(parents, dir)
	}
	for i := len(parents) - 1; i >= 0; i-- {
		if written[parents[i]] || explicit[parents[i]] {
			continue
		}
		written[parents[i]] = true
		header := &tar.Header{Typeflag: tar.TypeDir, Name: parents[i] + "/", Mode: 0o755, ModTime: epoch, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
	}
	return nil
}

func writeEntry(archive *tar.Writer, f file) error {
	header := &tar.Header{Name: clean(f.to), Mode: f.mode, Uid: f.uid, Gid: f.uid, ModTime: epoch, Format: tar.FormatPAX}
	switch {
	case f.dir:
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		return archive.WriteHeader(header)
	case f.link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.link, 0o777
		return archive.WriteHeader(header)
	case f.from == "":
		header.Typeflag, header.Size = tar.TypeReg, int64(len(f.content))
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err := io.WriteString(archive, f.content)
		return err
	}
	source, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, source)
	return err
}

// tarLayer is an uncompressed layer whose content stays in its file.
type tarLayer struct {
	path string
	hash v1.Hash
	size int64
}

// openLayer hashes a tar file once.
func openLayer(path string) (v1.Layer, error) {
	in, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	sum := sha256.New()
	size, err := io.Copy(sum, in)
	if err != nil {
		return nil, fmt.Errorf("hash layer %s: %w", path, err)
	}
	return &tarLayer{path: path, hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, size: size}, nil
}

func (l *tarLayer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l *tarLayer) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l *tarLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l *tarLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l *tarLayer) Size() (int64, error)                 { return l.size, nil }
func (l *tarLayer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
