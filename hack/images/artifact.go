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

	"golang.org/x/sync/errgroup"
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
	// expect is the wall time of a cold build on two cores, for the progress display only.
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
	final := s.path(a)
	scratchRoot := filepath.Join(s.dir, "scratch")
	for _, dir := range []string{filepath.Dir(final), scratchRoot, filepath.Join(s.dir, "logs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp(scratchRoot, a.name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}

	logPath := filepath.Join(s.dir, "logs", a.name+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()

	if err := a.build(ctx, scratch, log); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("build %s (log: %s): %w", a.name, logPath, err)
	}
	// A product that lost its validity, an image gone from the engine, is made again in place.
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	return os.Rename(scratch, final)
}

// concurrency of builds: most are parallel in themselves, the rest wait for the network.
const concurrency = 3

// realise makes every artifact that the store lacks, needs first, in the order given where there is a
// choice. It stops at the first error.
func (s store) realise(ctx context.Context, wanted []*artifact, progress Progress) error {
	group, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, concurrency)
	done := map[*artifact]chan struct{}{}
	var order []*artifact
	var visit func(a *artifact)
	visit = func(a *artifact) {
		if done[a] != nil {
			return
		}
		done[a] = make(chan struct{})
		for _, need := range a.needs {
			visit(need)
		}
		order = append(order, a)
	}
	// A stored product needs none of its ingredients: only what is missing is visited.
	for _, a := range s.missing(ctx, wanted) {
		visit(a)
	}
	progress.Plan(len(order))
	for _, a := range order {
		group.Go(func() error {
			for _, need := range a.needs {
				select {
				case <-done[need]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			defer close(done[a])
			if s.has(ctx, a) {
				progress.Start(a.name, 0)(nil)
				return nil
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			defer func() { <-slots }()
			finish := progress.Start(a.name, a.expect)
			err := s.make(ctx, a)
			finish(err)
			return err
		})
	}
	return group.Wait()
}

// missing gives the wanted artifacts that the store does not have.
func (s store) missing(ctx context.Context, wanted []*artifact) []*artifact {
	var lack []*artifact
	for _, a := range wanted {
		if !s.has(ctx, a) {
			lack = append(lack, a)
		}
	}
	return lack
}

// sweep removes what interrupted builds left; the run lock makes sure no other build is under way.
func (s store) sweep() error { return os.RemoveAll(filepath.Join(s.dir, "scratch")) }

// Progress is told what is being built.
type Progress interface {
	// Plan says how many artifacts are to come.
	Plan(artifacts int)
	// Start begins one; expect is its usual time, zero where it was found in the store. The
	// returned function ends it.
	Start(name string, expect time.Duration) func(error)
}
