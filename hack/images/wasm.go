package images

import (
	"context"
	"io"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// wasmModuleFile is the module's name in its artifact.
const wasmModuleFile = "plugin.wasm"

// wasmModule is the artifact of the module that the suite's WasmPlugins run: the same for every node.
func (b *Builder) wasmModule() (*artifact, error) {
	const pkg = "fixtures/wasmplugin/module"
	sources, err := b.sources(pkg)
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		// A reactor: its host calls what it exports, and main never runs.
		return b.goBuildFor(ctx, "wasip1", "wasm", b.options.Repository, log,
			"-buildmode=c-shared", "-ldflags", "-s -w", "-o", filepath.Join(out, wasmModuleFile), "./"+pkg)
	}
	return &artifact{name: "wasm-module", inputs: append([]string{b.goVersion}, sources...), expect: 10 * time.Second, build: build}, nil
}

// wasmImage is the server that proxies fetch the module from.
func (b *Builder) wasmImage(from instruments) *artifact {
	return b.image(imageSpec{
		name: "wasmserver", role: RoleInstrument, references: []string{instrumentHub + "/wasmserver:local"},
		needs:  []*artifact{from.wasmServer, from.wasmModule},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/wasmserver"}, Env: []string{defaultPath}, User: "65535:65535"},
		files: func() ([]file, error) {
			return []file{
				b.executable(from.wasmServer, "wasmserver", ""),
				{to: "/plugin.wasm", from: filepath.Join(b.store.path(from.wasmModule), wasmModuleFile), mode: 0o644},
			}, nil
		},
	})
}
