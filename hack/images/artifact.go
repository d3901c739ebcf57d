// Package images builds, or pulls, everything a cell needs, so that no image is pulled while specs run.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// builderVersion is part of every key: raise it when a builder's code changes what it makes.
const builderVersion = "1"

// artifact is one product of the build: a folder in the store, named by what went into it.
type artifact struct {
	// name is unique within a plan and readable: it is what the progress shows.
	name string
	// inputs are everything besides needs that decides the product: pins, flags, tool versions.
	inputs []string
	needs  []*artifact
	// expect is the wall time of a cold build alone on two quiet cores. It is used until the machine has built the
	// artifact once.
	expect time.Duration
	// build writes the product into out, an empty folder; what it says goes to log.
	build func(ctx context.Context, out string, log io.Writer) error
	// valid, if set, says whether a stored product can still be used: an engine may have lost an image.
	valid func(ctx context.Context, dir string) bool
}

// key is the hex SHA-256 of the artifact's inputs and of the keys of its needs.
func (a *artifact) key() string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "builder %s\nname %s\n", builderVersion, a.name)
	for _, input := range a.inputs {
		_, _ = fmt.Fprintf(sum, "input %d %s\n", len(input), input)
	}
	for _, need := range a.needs {
		_, _ = fmt.Fprintf(sum, "need %s\n", need.key())
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// store keeps artifacts by key below one folder.
type store struct{ dir string }

func (s store) path(a *artifact) string {
	return filepath.Join(s.dir, "artifacts", a.name+"-"+a.key()[:16])
}

// has says whether the artifact is there and usable.
func (s store) has(ctx context.Context, a *artifact) bool {
	if _, err := os.Stat(s.path(a)); err != nil {
		return false
	}
	return a.valid == nil || a.valid(ctx, s.path(a))
}

// make builds the artifact into a scratch folder and moves it into place whole, so that an
// interrupted build leaves nothing that looks finished. The log of a failed build is kept beside it.
func (s store) make(ctx context.Context, a *artifact) (err error) {
	log := &buildLog{file: io.Discard}
	logPath := filepath.Join(s.dir, "logs", a.name+".log")
	defer func() {
		switch {
		case err == nil:
		case ctx.Err() != nil:
			err = ctx.Err()
		default:
			err = explain(err, a.name, logPath, log.String())
		}
	}()

	final := s.path(a)
	for _, dir := range []string{filepath.Dir(final), s.scratch(), filepath.Dir(logPath)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp(s.scratch(), a.name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(scratch)) }()
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	file, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	log.file = file

	if err := a.build(ctx, scratch, log); err != nil {
		return err
	}
	// A product that lost its validity, an image gone from the engine, is made again in place.
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	return os.Rename(scratch, final)
}
