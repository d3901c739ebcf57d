package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// modulePath is the module's path over HTTP, and its name in an image.
	modulePath = "/plugin.wasm"
	// repository holds the images, one per tag.
	repository = "wasm/plugin"

	// The layers of an image that is a Wasm artifact
	// (https://github.com/solo-io/wasm/blob/master/spec/spec.md).
	configLayer = types.MediaType("application/vnd.module.wasm.config.v1+json")
	moduleLayer = types.MediaType("application/vnd.module.wasm.content.layer.v1+wasm")
)

// handler serves the module and a registry with an image of it per variant of the Wasm image specification.
func handler(module []byte) (http.Handler, error) {
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	for tag, build := range map[string]func([]byte) (v1.Image, error){"artifact": artifact, "container": container} {
		image, err := build(module)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", tag, err)
		}
		if err := push(images, tag, image); err != nil {
			return nil, fmt.Errorf("push image %s: %w", tag, err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v2/", images)
	mux.HandleFunc("GET "+modulePath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		http.ServeContent(w, r, modulePath, time.Time{}, bytes.NewReader(module))
	})
	return mux, nil
}

// artifact is the variant of two layers of their own types, the module as it is in one of them.
func artifact(module []byte) (v1.Image, error) {
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	return mutate.AppendLayers(image, static.NewLayer([]byte(`{}`), configLayer), static.NewLayer(module, moduleLayer))
}

// container is the compatible variant: an ordinary image whose only file is the module.
func container(module []byte) (v1.Image, error) {
	var layer bytes.Buffer
	compressed := gzip.NewWriter(&layer)
	archive := tar.NewWriter(compressed)
	header := &tar.Header{Name: modulePath[1:], Mode: 0o644, Size: int64(len(module)), Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(module); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	return mutate.AppendLayers(image, static.NewLayer(layer.Bytes(), types.OCILayer))
}

// push writes an image into a registry, by a loopback listener: who finds the program's own port open
// finds the images.
func push(images http.Handler, tag string, image v1.Image) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: images, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	reference, err := name.NewTag(listener.Addr().String()+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		return err
	}
	return remote.Write(reference, image)
}
