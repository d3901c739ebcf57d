package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"mesh-conformance/hack/cgroup"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Engine is the container engine that assembles and keeps node images.
type Engine interface {
	// Docker prepares a docker command that talks to the engine.
	Docker(ctx context.Context, args ...string) *exec.Cmd
}

// Options of a Builder.
type Options struct {
	// Repository is the root of this project's checkout: hack/build and the module's go.mod are read there.
	Repository string
	// Cache is the folder that keeps what is built between runs.
	Cache string
	// Source is built or published: where releases of Istio come from. A subject that is none says itself.
	Source string
	// NodeSource is where nodes come from, and Kubernetes with them: built, published or the reference of a node image.
	NodeSource string
	// Access says how image registries are reached.
	Access   Access
	Progress Progress
	// Group is the control group that the processes of builds run in. Without one no build runs while specs do.
	Group *cgroup.Builds
	// Log receives one line per thing worth telling besides the progress; nil drops them.
	Log func(format string, args ...any)
}

// Builder makes what cells need.
type Builder struct {
	options   Options
	engine    Engine
	versions  *kindconfig.Versions
	store     store
	goVersion string
	goarch    string
	apt       sync.Mutex
	pace      pace
	// Reader reads registries for the architecture of this machine.
	Reader
}

// New checks that a Go toolchain is there, prepares the store and removes what a killed build left. No
// other build of the same cache may be under way.
func New(ctx context.Context, engine Engine, versions *kindconfig.Versions, options Options) (*Builder, error) {
	b, err := newBuilder(ctx, engine, versions, options)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(options.Cache, "artifacts"), 0o755); err != nil {
		return nil, problem.Environment("cannot write the build cache", options.Cache, "make it writable or set --cache", err)
	}
	if err := b.sweepEngine(ctx); err != nil {
		return nil, err
	}
	return b, b.store.sweep()
}

// newBuilder returns a builder that can plan; New makes it ready to build.
func newBuilder(ctx context.Context, engine Engine, versions *kindconfig.Versions, options Options) (*Builder, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return nil, problem.Environment("cannot run go", "PATH", "install Go", err)
	}
	reader, err := NewReader(runtime.GOARCH, options.Access)
	if err != nil {
		return nil, err
	}
	return &Builder{
		options: options, engine: engine, versions: versions,
		store:     store{dir: options.Cache},
		Reader:    reader,
		goVersion: strings.TrimSpace(string(out)),
		goarch:    runtime.GOARCH,
		pace:      pace{group: options.Group},
	}, nil
}

// Beside says that specs run from now on, until release is called. Builds, those under way included, give way to them
// in their control group. Without a group no build begins meanwhile, and Beside returns when none is under way any
// more; the progress says so. Several callers may overlap. The error is that of the context, and then there is
// nothing to release.
func (b *Builder) Beside(ctx context.Context) (release func(), err error) {
	return b.pace.beside(ctx, b.options.Progress.Note)
}

// EndInOrder keeps further builds from beginning. Cell then returns cause, as soon as what is under way has ended and
// is kept, unless nothing was left to begin. It returns at once.
func (b *Builder) EndInOrder(cause error) { b.pace.endInOrder(cause) }

// Cell builds, or pulls, what the cell of a version of Kubernetes and a subject needs and describes it. The subject is
// that of Builder.Subject. When a build fails, no other
// begins, and Cell returns its error as soon as those under way have ended; the progress shows it at once. When ctx
// ends, all builds end.
func (b *Builder) Cell(ctx context.Context, kubernetes kindconfig.Kubernetes, subject kindconfig.Subject) (*kindconfig.Cell, error) {
	plan, err := b.plan(ctx, kubernetes, subject)
	if err != nil {
		return nil, err
	}
	if err := b.realise(ctx, plan.wanted()); err != nil {
		return nil, err
	}
	if err := b.store.use(plan.wanted(), time.Now()); err != nil {
		return nil, err
	}
	return b.describe(ctx, plan)
}

// CellAgain is Cell after the engine died during a build: what is stored stays, an image that the new engine lacks is
// made again, and what the dead engine's build left in the new engine is removed first. No other build may be under
// way.
func (b *Builder) CellAgain(
	ctx context.Context, kubernetes kindconfig.Kubernetes, subject kindconfig.Subject,
) (*kindconfig.Cell, error) {
	if err := b.sweepEngine(ctx); err != nil {
		return nil, err
	}
	return b.Cell(ctx, kubernetes, subject)
}

// describe says where everything is that realise made, and what the subject reports of itself.
func (b *Builder) describe(ctx context.Context, p *plan) (*kindconfig.Cell, error) {
	node, err := readNode(b.store.path(p.node))
	if err != nil {
		return nil, fmt.Errorf("read the description of the node image: %w", err)
	}
	cell := p.cell
	cell.Node = node.Reference
	if node.Traits != nil {
		// The tag of a node image may name another patch release than the image has.
		cell.NodeTraits, cell.Kubernetes = *node.Traits, node.Traits.Kubernetes
	}
	cell.Istioctl = filepath.Join(b.store.path(p.subject.istioctl), "istioctl")
	for _, release := range []*kindconfig.Release{&cell.Before, &cell.After, &cell.Control} {
		if release.Exists() {
			release.Istioctl = filepath.Join(b.store.path(p.releases[release.Istio].istioctl), "istioctl")
		}
	}
	if p.subject.charts != nil {
		cell.Charts = filepath.Join(b.store.path(p.subject.charts), manifestsPath, "charts")
	}
	cell.MetalLB = filepath.Join(b.store.path(p.metallbFiles), "metallb-native.yaml")
	cell.GatewayAPICRDs = filepath.Join(b.store.path(p.gatewayCRDs), "experimental")
	if p.archive != nil {
		cell.Archives = []string{filepath.Join(b.store.path(p.archive), archiveFile)}
	}
	nodeImage := kindconfig.Image{Name: "node", Reference: node.Reference, Digest: node.ID, Source: cell.NodeSource, Role: RoleKubernetes}
	nodeImage.PinnedDigest, nodeImage.Mirror = node.Pinned, node.Mirror
	if node.Digest != "" {
		nodeImage.Digest = node.Digest
	}
	cell.Images = append(cell.Images, nodeImage)
	for _, a := range p.images {
		image, err := b.store.describe(a)
		if err != nil {
			return nil, fmt.Errorf("read the description of %s: %w", a.name, err)
		}
		cell.Images = append(cell.Images, image)
	}
	if cell.Subject, err = b.verify(ctx, p, cell.Images); err != nil {
		return nil, err
	}
	cell.Istio = cell.Subject.Version
	return &cell, nil
}
