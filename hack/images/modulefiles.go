package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// moduleFiles is the artifact of files that come with a Go module rather than from compiling it:
// manifests, CRDs, bootstrap templates. The module is the one the go.mod in modDir pins.
type moduleFiles struct {
	name   string
	modDir string
	module string
	// paths are files or folders below the module's root; their base names are kept.
	paths []string
}

func (b *Builder) moduleFiles(m moduleFiles) (*artifact, error) {
	// The go.mod decides the module's version, go.sum its content.
	inputs := append([]string{m.module}, m.paths...)
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.options.Repository, m.modDir, file))
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(content), "\n") {
			if strings.Contains(line, m.module+" ") {
				inputs = append(inputs, strings.TrimSpace(line))
			}
		}
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		root, err := b.moduleDir(ctx, log, m.modDir, m.module)
		if err != nil {
			return err
		}
		for _, path := range m.paths {
			if err := copyTree(filepath.Join(root, path), filepath.Join(out, filepath.Base(path))); err != nil {
				return fmt.Errorf("copy %s of %s: %w", path, m.module, err)
			}
		}
		return nil
	}
	return &artifact{name: m.name, inputs: inputs, expect: time.Second, build: build}, nil
}

// moduleDir gives the folder of a pinned module, downloading it first where needed.
func (b *Builder) moduleDir(ctx context.Context, log io.Writer, modDir, module string) (string, error) {
	var out bytes.Buffer
	for _, args := range [][]string{{"mod", "download", module}, {"list", "-m", "-f", "{{.Dir}}", module}} {
		out.Reset()
		cmd := command(ctx, log, "go", args...)
		cmd.Stdout = &out
		cmd.Dir = filepath.Join(b.options.Repository, modDir)
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
		if err := runGo(cmd); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(out.String()), nil
}

// copyTree copies a file or a folder; the module cache is read-only, the copy is not.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
}
