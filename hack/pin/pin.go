// Package pin writes what a new version of Istio or Kubernetes needs: folders below hack/build and the entry in
// kindconfig/versions.yaml.
package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// GoRunner runs one go command in a folder, with env added to the process's environment. It returns what the command
// printed on standard output and on standard error; err is set when the command failed.
type GoRunner func(ctx context.Context, dir string, env []string, args ...string) (out, said string, err error)

// Pinner writes pins into a checkout.
type Pinner struct {
	// Repository is the root of the checkout.
	Repository string
	Go         GoRunner
	// Digest asks an image registry for the digest of what a reference names, sha256:…
	Digest func(ctx context.Context, reference string) (string, error)
	// Say receives one line per thing that was written, was there before, or cannot be had.
	Say func(format string, args ...any)
}

// RunGo is the GoRunner of this machine's toolchain.
func RunGo(ctx context.Context, dir string, env []string, args ...string) (out, said string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return stdout.String(), stderr.String(), err
}

// versionsFile holds the pins, relative to the checkout.
const versionsFile = "kindconfig/versions.yaml"

// versions reads the checkout's pins, not those that the program was built with.
func (p Pinner) versions() ([]byte, *kindconfig.Versions, error) {
	content, err := os.ReadFile(filepath.Join(p.Repository, filepath.FromSlash(versionsFile)))
	if err != nil {
		return nil, nil, problem.Environment("cannot read the pins", versionsFile, "", err)
	}
	parsed, err := kindconfig.Parse(content)
	return content, parsed, err
}

// writeVersions replaces the checkout's pins in one step. What was pinned before stays as it was.
func (p Pinner) writeVersions(content []byte) error {
	path := filepath.Join(p.Repository, filepath.FromSlash(versionsFile))
	next := path + ".new"
	if err := errors.Join(os.WriteFile(next, content, 0o644), os.Rename(next, path)); err != nil {
		return problem.Environment("cannot write the pins", versionsFile, "", errors.Join(err, os.RemoveAll(next)))
	}
	return nil
}

// folder is a component's place below hack/build, relative to the checkout and with slashes.
func folder(component, version string) string { return "hack/build/" + component + "-" + version }

// has reports whether the checkout has a component's folder with both of its files.
func (p Pinner) has(component, version string) bool {
	for _, file := range []string{"go.mod", "go.sum"} {
		if _, err := os.Stat(filepath.Join(p.Repository, filepath.FromSlash(folder(component, version)), file)); err != nil {
			return false
		}
	}
	return true
}

// write makes a component's folder from a go.mod: go mod tidy completes it and writes go.sum. The folder appears whole
// or not at all, and one that exists stays as it is.
func (p Pinner) write(ctx context.Context, component, version string, text []byte, env []string) error {
	name := folder(component, version)
	final := filepath.Join(p.Repository, filepath.FromSlash(name))
	if _, err := os.Stat(final); err == nil {
		return problem.Usage("the folder is incomplete, and nothing is overwritten", name, "complete or remove it first")
	}
	scratch, err := os.MkdirTemp(filepath.Dir(final), ".pin-")
	if err != nil {
		return problem.Environment("cannot write", "hack/build", "make it writable", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := errors.Join(os.Chmod(scratch, 0o755), os.WriteFile(filepath.Join(scratch, "go.mod"), text, 0o644)); err != nil {
		return err
	}
	what := component + " " + version
	if err := p.tidy(ctx, scratch, what, env); err != nil {
		return err
	}
	// The build allows no change of go.mod or go.sum.
	if _, said, err := p.Go(ctx, scratch, append(env, "GOFLAGS=-mod=readonly"), "list", "-deps", "-f", "{{.ImportPath}}", "tool"); err != nil {
		return failure(ctx, what, said, err)
	}
	sums, err := os.ReadFile(filepath.Join(scratch, "go.sum"))
	if err != nil {
		return fmt.Errorf("go mod tidy wrote no go.sum for %s: %w", what, err)
	}
	if err := os.Rename(scratch, final); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return problem.Usage("the folder appeared meanwhile, and nothing is overwritten", name, "run again")
		}
		return err
	}
	p.Say("written: %s, %d lines in go.sum", name, bytes.Count(sums, []byte("\n")))
	return nil
}

// tidy completes a go.mod, and raises a module that does not compile with today's Go.
func (p Pinner) tidy(ctx context.Context, dir, what string, env []string) error {
	env = append(env, "GOFLAGS=")
	for range 2 {
		if _, said, err := p.Go(ctx, dir, env, "mod", "tidy"); err != nil {
			return failure(ctx, what, said, err)
		}
		path := filepath.Join(dir, "go.mod")
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raised, why, err := raise(text)
		if err != nil || why == "" {
			return err
		}
		p.Say("%s: %s", what, why)
		if err := os.WriteFile(path, raised, 0o644); err != nil {
			return err
		}
	}
	_, said, err := p.Go(ctx, dir, env, "mod", "tidy")
	return failure(ctx, what, said, err)
}

// parts splits a release, for example 1.28.15, off its minor version. The leading v is optional, and numbers have no
// leading zeros.
func parts(kind, version string) (release string, minor string, err error) {
	release = strings.TrimPrefix(version, "v")
	numbers := strings.Split(release, ".")
	ok := len(numbers) == 3
	for _, number := range numbers {
		ok = ok && number != "" && strings.Trim(number, "0123456789") == "" && (number == "0" || number[0] != '0')
	}
	if !ok {
		return "", "", problem.Usage(fmt.Sprintf("malformed version %q of %s", version, kind), "qualify pin", "give one like 1.28.15")
	}
	return release, numbers[0] + "." + numbers[1], nil
}
