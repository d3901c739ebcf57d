package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var module = []byte("\x00asm\x01\x00\x00\x00")

func serving(t *testing.T) *httptest.Server {
	t.Helper()
	serve, err := handler(module)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return server
}

func TestModuleOverHTTP(t *testing.T) {
	server := serving(t)
	for path, want := range map[string]int{modulePath: http.StatusOK, "/missing.wasm": http.StatusNotFound} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != want || (want == http.StatusOK) != bytes.Equal(body, module) {
			t.Errorf("%s: %d, %d bytes, %v", path, response.StatusCode, len(body), err)
		}
	}
}

func pulled(t *testing.T, server *httptest.Server, tag string) []v1.Layer {
	t.Helper()
	reference, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://")+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(reference)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

func content(t *testing.T, layer v1.Layer, want types.MediaType) []byte {
	t.Helper()
	if got, err := layer.MediaType(); err != nil || got != want {
		t.Errorf("media type %s, %v; want %s", got, err, want)
	}
	reader, err := layer.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestArtifact(t *testing.T) {
	layers := pulled(t, serving(t), "artifact")
	if len(layers) != 2 {
		t.Fatalf("%d layers, the specification has two", len(layers))
	}
	if got := content(t, layers[0], configLayer); string(got) != "{}" {
		t.Errorf("configuration %q", got)
	}
	if got := content(t, layers[1], moduleLayer); !bytes.Equal(got, module) {
		t.Errorf("module %q", got)
	}
}

func TestContainer(t *testing.T) {
	layers := pulled(t, serving(t), "container")
	if len(layers) != 1 {
		t.Fatalf("%d layers", len(layers))
	}
	uncompressed, err := gzip.NewReader(bytes.NewReader(content(t, layers[0], types.OCILayer)))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(uncompressed)
	header, err := archive.Next()
	if err != nil || header.Name != "plugin.wasm" {
		t.Fatalf("first entry %+v, %v", header, err)
	}
	if got, err := io.ReadAll(archive); err != nil || !bytes.Equal(got, module) {
		t.Errorf("module %q, %v", got, err)
	}
}
