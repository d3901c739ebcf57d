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
	"golang.org/x/term"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// runOptions are the flags of `qualify run`.
type runOptions struct {
	kubernetes, istio string
	images, engine    string
	focus, labels     string
	procs             int
	keep, reuse       bool
	cache, output     string
	buildOnly         bool
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Provision a cell, run the specs on it and write the reports",
		Long: "Provision a cell, run the specs on it and write the reports.\n\n" +
			"Exit codes: 0 the build may be signed, 1 a spec failed, 2 the command line is wrong, 3 the machine is.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.kubernetes, "kubernetes", "", "Kubernetes version, 1.28 or 1.28.15 (default: the newest pinned)")
	f.StringVar(&o.istio, "istio", "", "Istio version under test (default: 1.20.0)")
	f.StringVar(&o.images, "images", images.ChoiceAuto, "where the subject comes from: auto, published or built")
	f.StringVar(&o.engine, "engine", engine.ChoiceAuto, "container engine: auto, docker or private")
	f.StringVar(&o.focus, "focus", "", "run only specs whose full name matches this regular expression")
	f.StringVar(&o.labels, "label-filter", "", "run only specs whose labels match, for example mirroring or gatewayapi.http (a row's id with dots)")
	f.IntVar(&o.procs, "procs", defaultProcs, "Ginkgo processes")
	f.BoolVar(&o.keep, "keep", false, "leave the cluster running at the end; qualify down removes it")
	f.BoolVar(&o.reuse, "reuse", false, "use the cluster an earlier run kept, if it is of the same cell; implies --keep")
	f.BoolVar(&o.buildOnly, "build-only", false, "stop when everything the cell needs is built")
	addPlaceFlags(cmd, &o.cache, &o.output)
	return cmd
}

// addPlaceFlags adds the flags that every command with files has.
func addPlaceFlags(cmd *cobra.Command, cache, output *string) {
	cmd.Flags().StringVar(cache, "cache", "", "folder that keeps images and engine between runs (default: the user's cache folder)")
	cmd.Flags().StringVar(output, "output", "", "folder that runs write to (default: _output of the checkout)")
}

// defaultProcs lets the three lanes of Gateway API tests and one of features run side by side.
const defaultProcs = 4

func run(ctx context.Context, out io.Writer, o runOptions) (err error) {
	started := time.Now()
	versions, err := kindconfig.Load()
	if err != nil {
		return err
	}
	kubernetes, err := versions.ForKubernetes(o.kubernetes)
	if err != nil {
		return err
	}
	istio, err := versions.ForIstio(o.istio)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	at, err := findPlaces(o.cache, o.output)
	if err != nil {
		return err
	}
	for dir, flag := range map[string]string{at.cache: "--cache", at.output: "--output"} {
		if err := writable(dir, flag); err != nil {
			return err
		}
	}
	id := started.UTC().Format("20060102-150405")
	held, err := takeLock(at.cache, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()

	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(out, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}
	say("run %s: Istio %s on Kubernetes %s", id, istio.Version, kubernetes.Version)

	need := uint64(warmNeed)
	if _, statErr := os.Stat(filepath.Join(at.cache, "artifacts")); statErr != nil {
		need = coldNeed
	}
	if err := checkDisk(ctx, at.cache, need); err != nil {
		return err
	}
	running, err := engine.Ensure(ctx, engine.Options{StateDir: engineDir(at), Choice: o.engine, Source: at.repository, Log: say})
	if err != nil {
		return err
	}
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go func() {
		for died := range running.Watch(ctx) {
			lost(died)
		}
	}()

	cell, tools, err := prepare(ctx, out, say, at, o, running, versions, kubernetes, istio)
	if err != nil {
		return causeOf(ctx, err)
	}
	if o.buildOnly {
		say("everything is built: %s", cell.Node)
		return nil
	}
	job := &kindconfig.Job{
		Run: id, Started: started.UTC().Truncate(time.Second), Command: "qualify " + strings.Join(os.Args[1:], " "),
		Filter: filterText(o), Procs: o.procs, Engine: describeEngine(running), Directory: filepath.Join(at.output, id),
		Cluster: "mesh-conformance-" + kubernetes.Minor, Network: networkName, Kubeconfig: filepath.Join(at.cache, "kubeconfig-"+kubernetes.Minor),
		Lock: lockPath(at.cache), Keep: o.keep || o.reuse, Reuse: o.reuse, Cell: *cell,
	}
	if err := os.MkdirAll(job.Directory, 0o755); err != nil {
		return problem.Environment("cannot write", job.Directory, "make it writable or set --output", err)
	}
	if err := job.Save(); err != nil {
		return err
	}
	if err := pointLatest(at.output, id); err != nil {
		return err
	}
	if err := sweepClusters(ctx, running, job, say); err != nil {
		return causeOf(ctx, err)
	}
	suiteErr := runSuite(ctx, out, job, o, tools, running)
	return finish(ctx, out, job, suiteErr)
}

// check refuses flag values that could only fail later.
func (o runOptions) check() error {
	if o.procs < 1 {
		return problem.Usage(fmt.Sprintf("--procs is %d", o.procs), "qualify run", "give 1 or more")
	}
	for flag, choice := range map[string]struct {
		value   string
		allowed []string
	}{
		"--images": {o.images, []string{images.ChoiceAuto, images.SourcePublished, images.SourceBuilt}},
		"--engine": {o.engine, []string{engine.ChoiceAuto, engine.ChoiceDocker, engine.ChoicePrivate}},
	} {
		if !contains(choice.allowed, choice.value) {
			return problem.Usage(fmt.Sprintf("unknown value %q of %s", choice.value, flag), "qualify run", "give one of "+strings.Join(choice.allowed, ", "))
		}
	}
	return checkFilters(o.focus, o.labels)
}

func contains(list []string, value string) bool {
	for _, item := range list {
		if item == value {
			return true
		}
	}
	return false
}

// prepare builds the cell and, beside it, the suite.
func prepare(ctx context.Context, out io.Writer, say func(string, ...any), at places, o runOptions, running *engine.Engine,
	versions *kindconfig.Versions, kubernetes kindconfig.Kubernetes, istio kindconfig.Istio,
) (*kindconfig.Cell, suiteTools, error) {
	source, why := images.Decide(ctx, o.images, istio)
	say("images of the subject and of Kubernetes: %s (%s)", source, why)
	file, isFile := out.(*os.File)
	progress, closeProgress := images.NewProgress(out, isFile && term.IsTerminal(int(file.Fd())))
	builder, err := images.New(ctx, running, versions, images.Options{Repository: at.repository, Cache: at.cache, Source: source, Progress: progress})
	if err != nil {
		return nil, suiteTools{}, err
	}
	type built struct {
		tools suiteTools
		err   error
	}
	suite := make(chan built, 1)
	go func() {
		tools, err := buildSuite(ctx, at)
		suite <- built{tools, err}
	}()
	cell, err := builder.Cell(ctx, kubernetes, istio)
	closeProgress()
	compiled := <-suite
	return cell, compiled.tools, errors.Join(err, compiled.err)
}

// causeOf prefers why a context ended, an engine's death for example, to the errors that followed.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func engineDir(at places) string { return filepath.Join(at.cache, "engine") }

func describeEngine(e *engine.Engine) string {
	kind := "found running"
	if e.Private {
		kind = "private"
	}
	return "Docker " + e.Version + ", " + kind
}

// filterText is empty when every spec was asked for.
func filterText(o runOptions) string {
	var parts []string
	if o.focus != "" {
		parts = append(parts, "--focus="+o.focus)
	}
	if o.labels != "" {
		parts = append(parts, "--label-filter="+o.labels)
	}
	return strings.Join(parts, " ")
}

// pointLatest makes _output/latest a link to this run, in one step.
func pointLatest(output, id string) error {
	next := filepath.Join(output, ".latest-"+id)
	if err := os.Symlink(id, next); err != nil {
		return problem.Environment("cannot link the newest run", output, "", err)
	}
	if err := os.Rename(next, filepath.Join(output, "latest")); err != nil {
		return problem.Environment("cannot link the newest run", filepath.Join(output, "latest"), "move away what is there",
			errors.Join(err, os.Remove(next)))
	}
	return nil
}

// finish renders the reports of a run and gives the verdict.
func finish(ctx context.Context, out io.Writer, job *kindconfig.Job, suiteErr error) error {
	if line, err := os.ReadFile(job.Path(kindconfig.EnvironmentFile)); err == nil {
		return problem.Environment(strings.TrimSpace(string(line)), "", "see "+job.Path(kindconfig.DiagnosticsDir), nil)
	}
	if context.Cause(ctx) != nil {
		return causeOf(ctx, suiteErr)
	}
	results, err := reports.Load(job.Path(kindconfig.ResultsFile))
	if err != nil {
		return problem.Environment("the suite left no results", job.Path(suiteLog), "read its end", errors.Join(suiteErr, err))
	}
	if err := reports.Render(job.Directory, results); err != nil {
		return problem.Environment("cannot write the reports", job.Directory, "", err)
	}
	reports.Summary(out, results, job.Directory, terminalWidth(out))
	return reports.Verdict(results)
}

func terminalWidth(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 100
}
