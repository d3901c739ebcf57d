package images

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mesh-conformance/hack/problem"
)

// use stamps artifacts, and what they are made of, as needed at a moment: Forget goes by it. What is stored is needed
// together with its ingredients, which make the next one when something changes.
func (s store) use(wanted []*artifact, now time.Time) error {
	seen := map[*artifact]bool{}
	var visit func(a *artifact) error
	visit = func(a *artifact) error {
		if seen[a] {
			return nil
		}
		seen[a] = true
		if err := os.Chtimes(s.path(a), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return problem.Environment("cannot write the build cache", s.path(a), "make it writable or set --cache", err)
		}
		for _, need := range a.needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		return nil
	}
	for _, a := range wanted {
		if err := visit(a); err != nil {
			return err
		}
	}
	return nil
}

// NodeEngine is an engine that may hold node images. Own says that nobody but this project puts images there.
type NodeEngine struct {
	Engine
	Own bool
}

// Forget removes from a cache what no run has needed since a moment, and the node images of it from the engine, which is
// only asked for if there are any. In an engine that is not the project's own, images that it has not made itself stay. It
// gives how many artifacts it removed, also beside an error. The caller makes sure that nobody uses the cache meanwhile.
func Forget(ctx context.Context, cache string, since time.Time, engine func() (NodeEngine, error)) (forgotten int, err error) {
	dir := filepath.Join(cache, "artifacts")
	stored, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, problem.Environment("cannot read the build cache", dir, "make it readable or set --cache", err)
	}
	engine = sync.OnceValues(engine)
	for _, entry := range stored {
		info, err := entry.Info()
		if err != nil {
			return forgotten, problem.Environment("cannot read the build cache", dir, "run again", err)
		}
		if !info.ModTime().Before(since) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if err := forgetNode(ctx, path, engine); err != nil {
			return forgotten, err
		}
		if err := discard(path); err != nil {
			return forgotten, problem.Environment("cannot remove from the build cache", path, "remove it by hand", err)
		}
		forgotten++
	}
	return forgotten, nil
}

// madeHere begins the references of node images that are built; others are pulled.
const madeHere = "mesh-conformance/"

// forgetNode removes the node image that an artifact's folder describes, if it is such an artifact's.
func forgetNode(ctx context.Context, dir string, engine func() (NodeEngine, error)) error {
	node, err := readNode(dir)
	syntax := new(json.SyntaxError)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &syntax):
		return nil
	case err != nil:
		return problem.Environment("cannot read the build cache", dir, "make it readable or remove it by hand", err)
	}
	found, err := engine()
	if err != nil {
		return err
	}
	return found.forget(ctx, node)
}

// forget removes a node image, unless the engine has lost it or has another by that name.
func (e NodeEngine) forget(ctx context.Context, node engineNode) error {
	if !e.Own && !strings.HasPrefix(node.Reference, madeHere) {
		return nil
	}
	b := &Builder{engine: e.Engine}
	if id, err := b.imageID(ctx, node.Reference); err != nil || id != node.ID {
		return ctx.Err()
	}
	output, err := b.dockerCommand(ctx, "rmi", node.Reference).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		return problem.Environment("cannot remove the node image "+node.Reference, lastLine(string(output)), "end what uses it, or remove it by hand", err)
	}
	return ctx.Err()
}
