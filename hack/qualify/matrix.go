package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

func matrixCommand() *cobra.Command {
	var o runOptions
	var kubernetes []string
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Run the suite on every pinned Kubernetes version, one after the other, and merge the results",
		Long: "Run the suite on every pinned Kubernetes version, one after the other, and merge the results.\n\n" +
			"Node images of later versions are built while earlier ones run. Each version's reports are in a folder of its\n" +
			"own below the matrix'. A version that fails, cannot be provisioned, or whose container engine dies, does not\n" +
			"stop the others.\n\n" +
			"Exit codes: 0 the build may be signed, 1 a spec failed, 2 the command line is wrong, 3 the machine is, or a\n" +
			"version has no verdict.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return matrix(cmd.Context(), cmd.OutOrStdout(), o, kubernetes)
		},
	}
	addSubjectFlags(cmd, &o)
	addVersionsFlag(cmd, &kubernetes, "run")
	addFilterFlags(cmd, &o.focus, &o.labels)
	cmd.Flags().BoolVar(&o.buildOnly, "build-only", false, "stop when everything that the versions need is built")
	return cmd
}

// addVersionsFlag adds the flag that chooses cells of the matrix.
func addVersionsFlag(cmd *cobra.Command, kubernetes *[]string, verb string) {
	cmd.Flags().StringSliceVar(kubernetes, "kubernetes", nil, "Kubernetes versions to "+verb+", for example 1.25,1.28 (default: every pinned one)")
}

// cellImages is a cell that is being built, or will be.
type cellImages struct {
	// ready is closed when cell or err is set.
	ready chan struct{}
	cell  *kindconfig.Cell
	err   error
}

// buildInTurn builds cells one after the other, all but the first beside what runs on those before. One that fails does not stop the others. wait returns when nothing is under way.
func buildInTurn(ctx context.Context, cells []kindconfig.Kubernetes, build func(context.Context, kindconfig.Kubernetes) (*kindconfig.Cell, error)) (made []*cellImages, wait func()) {
	for range cells {
		made = append(made, &cellImages{ready: make(chan struct{})})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i, kubernetes := range cells {
			if made[i].err = ctx.Err(); made[i].err == nil {
				made[i].cell, made[i].err = build(ctx, kubernetes)
			}
			close(made[i].ready)
		}
	}()
	return made, func() { <-done }
}

func matrix(ctx context.Context, out io.Writer, o runOptions, asked []string) (err error) {
	versions, err := kindconfig.Load()
	if err != nil {
		return err
	}
	cells, err := chosen(versions, asked)
	if err != nil {
		return err
	}
	subject, err := o.subject(ctx, versions)
	if err != nil {
		return err
	}
	if o.namedNode() {
		return problem.Usage("one node image is no matrix of Kubernetes versions", "--nodes "+o.nodes, "give published or built, or use qualify run")
	}
	if o.lists, err = kindconfig.LoadVendorLists(o.knownDefects, o.exemptions); err != nil {
		return err
	}
	names := make([]string, len(cells))
	for i, kubernetes := range cells {
		names[i] = kubernetes.Version
	}
	// Everything but a cell's own run outlives an engine: ctx goes on when the first engine dies.
	title := subject.Name + " on Kubernetes " + strings.Join(names, ", ")
	first, s, err := enter(ctx, out, o, versions, subject, title, matrixDiskNeed(cells))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave(ctx)) }()

	progress, closeProgress := images.NewProgress(s.screen, false)
	defer closeProgress()
	builder, err := s.builder(first, progress)
	if err != nil {
		return causeOf(first, err)
	}
	if subject, err = s.locate(first, builder); err != nil {
		return causeOf(first, err)
	}
	build := func(ctx context.Context, kubernetes kindconfig.Kubernetes) (*kindconfig.Cell, error) {
		return s.engines.build(ctx, builder, kubernetes, subject)
	}
	building, stopBuilding := context.WithCancel(ctx)
	made, wait := buildInTurn(building, cells, build)
	defer wait()
	defer stopBuilding()
	if o.buildOnly {
		wait()
		return causeOf(ctx, builtAll(s.say, cells, made))
	}
	// A first cell that cannot be built is that cell's trouble; the suite is everyone's.
	with, err := s.prepare(ctx, o, func(ctx context.Context) error {
		select {
		case <-made[0].ready:
		case <-ctx.Done():
		}
		return nil
	})
	if err != nil {
		return causeOf(ctx, err)
	}
	dir := filepath.Join(s.at.output, s.id)
	if err := errors.Join(os.MkdirAll(dir, 0o755), pointLatest(s.at.output, s.id)); err != nil {
		return problem.Environment("cannot write", dir, "make it writable or set --output", err)
	}
	outcomes := cellsInTurn(ctx, s.say, dir, cells, made, func(kubernetes kindconfig.Kubernetes, cell *kindconfig.Cell) error {
		return s.engines.runOn(ctx, cell, part{
			has:    s.hasNode,
			remake: func(ctx context.Context) (*kindconfig.Cell, error) { return build(ctx, kubernetes) },
			run: func(ctx context.Context, running *engine.Engine, cell *kindconfig.Cell) error {
				s.engine = running
				// A suite that an engine left in the middle of its work may have left containers.
				defer func() { s.crashed = s.crashed || ctx.Err() != nil }()
				return s.run(ctx, out, o, s.job(o, s.id+"/"+kubernetes.Minor, kubernetes.Minor, cell), with)
			},
		})
	})
	if ctx.Err() != nil {
		return noVerdict(dir, causeOf(ctx, nil))
	}
	if err := saveSubject(dir, made); err != nil {
		return problem.Environment("cannot write", dir, "make it writable or set --output", err)
	}
	record := reports.Run{
		ID: s.id, Started: s.started.UTC().Truncate(time.Second), Seconds: time.Since(s.started).Round(time.Second).Seconds(),
		Procs: o.procs, Command: "qualify " + strings.Join(os.Args[1:], " "),
	}
	return renderMatrix(out, dir, record, without(outcomes, versions, cells, "the matrix did not come to it"), o.allowUndecided)
}

// saveSubject writes the file that repeats the runs of cells, of which all are of one subject. Where none could be built
// there is none.
func saveSubject(dir string, made []*cellImages) error {
	for _, one := range made {
		if one.cell != nil {
			return one.cell.Subject.Asked.Save(filepath.Join(dir, kindconfig.SubjectName))
		}
	}
	return nil
}

// hasNode reports whether the engine that runs has a cell's node image.
func (s *site) hasNode(ctx context.Context, cell *kindconfig.Cell) bool {
	return s.engines.Docker(ctx, "image", "inspect", cell.Node).Run() == nil
}

// cellsInTurn runs each cell as soon as it is built and those before have ended, and gives what became
// of them. The end of the context ends it.
func cellsInTurn(ctx context.Context, say func(string, ...any), dir string, cells []kindconfig.Kubernetes, made []*cellImages,
	run func(kindconfig.Kubernetes, *kindconfig.Cell) error,
) []reports.Outcome {
	var outcomes []reports.Outcome
	for i, kubernetes := range cells {
		say("matrix: Kubernetes %s, %d of %d", kubernetes.Version, i+1, len(cells))
		select {
		case <-made[i].ready:
		default:
			say("waiting until its images are built")
		}
		select {
		case <-made[i].ready:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return outcomes
		}
		aborted := func(why error) reports.Outcome {
			say("Kubernetes %s has no verdict: %v", kubernetes.Version, why)
			return reports.Outcome{Name: kubernetes.Minor, Kubernetes: kubernetes.Version, State: reports.CellAborted, Why: why.Error()}
		}
		if made[i].err != nil {
			outcomes = append(outcomes, aborted(made[i].err))
			continue
		}
		runErr := run(kubernetes, made[i].cell)
		if ctx.Err() != nil {
			return outcomes
		}
		o, err := outcomeIn(kubernetes.Minor, filepath.Join(dir, kubernetes.Minor))
		switch {
		case err == nil:
			o.Directory = kubernetes.Minor
			outcomes = append(outcomes, o)
			if o.State == reports.CellAborted {
				say("Kubernetes %s has no verdict: %s", kubernetes.Version, o.Why)
			}
		case runErr != nil:
			outcomes = append(outcomes, aborted(runErr))
		default:
			outcomes = append(outcomes, aborted(err))
		}
	}
	return outcomes
}

// builtAll says what was built, and what could not be.
func builtAll(say func(string, ...any), cells []kindconfig.Kubernetes, made []*cellImages) error {
	var failed []error
	for i, kubernetes := range cells {
		if made[i].err != nil {
			failed = append(failed, fmt.Errorf("on Kubernetes %s: %w", kubernetes.Version, made[i].err))
			continue
		}
		say("everything is built for Kubernetes %s: %s", kubernetes.Version, made[i].cell.Node)
	}
	return gravest(failed)
}

// matrixDiskNeed adds to what a run needs what building the versions that were never built takes: Go's
// cache, the artifacts and the node image.
func matrixDiskNeed(cells []kindconfig.Kubernetes) func(cache string) uint64 {
	const versionNeed = 4 * gibibyte
	return func(cache string) uint64 {
		need := diskNeed(cache)
		for i, kubernetes := range cells {
			built, err := filepath.Glob(filepath.Join(cache, "artifacts", "node-"+kubernetes.Version+"-*"))
			if i > 0 && err == nil && len(built) == 0 {
				need += versionNeed
			}
		}
		return need
	}
}
