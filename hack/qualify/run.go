package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/machine"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// runOptions are the flags of `qualify run`.
type runOptions struct {
	kubernetes string
	// asked are the flags of the subject, subjectFile names the file that has the same instead.
	asked          kindconfig.SubjectFile
	subjectFile    string
	images, engine string
	// nodes is published, built or a reference; empty follows images.
	nodes string
	// access says how image registries are reached.
	access        images.Access
	focus, labels string
	procs         int
	keep, reuse   bool
	cache, output string
	buildOnly     bool
	// timeoutFactor multiplies the suite's time limits; 0 follows what is measured of the machine.
	timeoutFactor float64
	// budget bounds building and specs together: the set smoke runs where the whole suite would exceed it. 0 is no bound.
	budget time.Duration
	// allowUndecided gives a run without a failed spec exit code 0, although specs are undecided.
	allowUndecided bool
	// everyPromise runs specs of promises that the subject's release does not make as well.
	everyPromise bool
	// control marks the run of a negative control, whose release has to lack a promise.
	control bool
	// serial runs upstream's tests in one lane, for the bench.
	serial bool
	// knownDefects and exemptions are files of a vendor's own lists; lists is their content, nil where none is named.
	knownDefects, exemptions string
	lists                    *kindconfig.VendorLists
	// installation of the subject's control planes.
	installation installation
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Provision a cell, run the specs on it and write the reports",
		Long: "Provision a cell, run the specs on it and write the reports.\n\n" +
			"Exit codes: 0 the build may be signed, 1 a spec failed, 2 the command line is wrong, 3 the machine is, or a spec is undecided\n" +
			"because the machine was starved.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.keep = o.keep || o.reuse
			_, err := run(cmd.Context(), cmd.OutOrStdout(), o)
			return err
		},
	}
	addCellFlags(cmd, &o)
	addFilterFlags(cmd, &o.focus, &o.labels)
	f := cmd.Flags()
	f.BoolVar(&o.keep, "keep", false, "leave the cluster running at the end; qualify down removes it")
	f.BoolVar(&o.reuse, "reuse", false, "use the cluster an earlier run kept, if it is of the same cell; implies --keep")
	f.BoolVar(&o.buildOnly, "build-only", false, "stop when everything the cell needs is built")
	f.DurationVar(&o.budget, "budget", 0, "run the set smoke where building and the whole suite are estimated to take longer, for example 60m")
	return cmd
}

// addCellFlags adds the flags that say what is run on what.
func addCellFlags(cmd *cobra.Command, o *runOptions) {
	cmd.Flags().StringVar(&o.kubernetes, "kubernetes", "", "Kubernetes version, 1.28 or 1.28.15 (default: the newest pinned)")
	addSubjectFlags(cmd, o)
}

// addSubjectFlags adds the flags that are the same for one cell and for many.
func addSubjectFlags(cmd *cobra.Command, o *runOptions) {
	f := cmd.Flags()
	addBuildFlags(f, o)
	f.StringVar(&o.images, "images", images.ChoiceAuto, "where releases of Istio and nodes come from: auto, published or built")
	f.StringVar(&o.nodes, "nodes", "", "where nodes come from: published, built or the reference of a kind node image (default: as --images)")
	addAccessFlags(cmd, &o.access)
	f.StringVar(&o.engine, "engine", engine.ChoiceAuto, "container engine: auto, docker or private")
	f.IntVar(&o.procs, "procs", defaultProcs, "upper bound of Ginkgo processes that run specs at once; a busy machine gets fewer")
	f.BoolVar(&o.allowUndecided, "allow-undecided", false, "exit with 0 where no spec failed, although specs are undecided because the machine was starved")
	f.BoolVar(&o.everyPromise, "every-promise", false,
		"run specs of promises that the subject's release does not make, too, which are exempt otherwise: they have to fail")
	f.Float64Var(&o.timeoutFactor, "timeout-factor", 0, "multiply the suite's time limits by this number, from 1 to 10 (default: by the measured slowness of the machine)")
	addListFlags(cmd, o)
	o.installation.addFlags(cmd)
	addPlaceFlags(cmd, &o.cache, &o.output)
}

// addPlaceFlags adds the flags that every command with files has.
func addPlaceFlags(cmd *cobra.Command, cache, output *string) {
	cmd.Flags().StringVar(cache, "cache", "", "folder that keeps images and engine between runs (default: the user's cache folder)")
	cmd.Flags().StringVar(output, "output", "", "folder that runs write to (default: _output of the checkout)")
}

// defaultProcs lets the three lanes of Gateway API tests and two of features run side by side: with four the two
// cores are idle for a tenth of the time, with more specs wait for them.
const defaultProcs = 5

// run does one run and gives its folder, which is empty where it did not come that far.
func run(ctx context.Context, out io.Writer, o runOptions) (dir string, err error) {
	versions, kubernetes, subject, err := o.cell(ctx)
	if err != nil {
		return "", err
	}
	on := "Kubernetes " + kubernetes.Version
	if o.namedNode() {
		on = o.nodes
	}
	ctx, s, err := enter(ctx, out, o, versions, subject, subject.Name+" on "+on, diskNeed)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.leave(ctx)) }()

	progress, closeProgress := images.NewProgress(out, terminalColumns(out) > 0)
	builder, err := s.builder(ctx, progress)
	if err != nil {
		closeProgress()
		return "", causeOf(ctx, err)
	}
	if subject, err = s.locate(ctx, builder); err != nil {
		closeProgress()
		return "", causeOf(ctx, err)
	}
	if o.namedNode() {
		version, err := builder.NodeVersion(ctx)
		if err == nil {
			kubernetes, err = ofNode(versions, o.kubernetes, o.nodes, version)
		}
		if err != nil {
			closeProgress()
			return "", causeOf(ctx, err)
		}
	}
	chosen, err := s.within(ctx, &o, builder, kubernetes, subject)
	if err != nil {
		closeProgress()
		return "", causeOf(ctx, err)
	}
	var cell *kindconfig.Cell
	made, err := s.prepare(ctx, o, func(ctx context.Context) (err error) {
		cell, err = builder.Cell(ctx, kubernetes, subject)
		return err
	})
	closeProgress()
	if err != nil {
		return "", causeOf(ctx, err)
	}
	if o.buildOnly {
		s.say("everything is built: %s", cell.Node)
		return "", nil
	}
	job := s.job(o, s.id, kubernetes.Minor, cell)
	job.Started = s.started.UTC().Truncate(time.Second)
	if err := errors.Join(os.MkdirAll(job.Directory, 0o755), pointLatest(s.at.output, s.id)); err != nil {
		return "", problem.Environment("cannot write", job.Directory, "make it writable or set --output", err)
	}
	err = s.run(ctx, out, o, job, made)
	if chosen.smoke {
		s.say("%s", chosen.tried(made.listing.Selected(), made.listing.Total()))
	}
	return job.Directory, err
}

// cell finds the pins and the subject that the flags of a run ask for, and reads a vendor's lists. Nothing is started
// or written.
func (o *runOptions) cell(
	ctx context.Context,
) (*kindconfig.Versions, kindconfig.Kubernetes, kindconfig.Subject, error) {
	versions, err := kindconfig.Load()
	if err != nil {
		return nil, kindconfig.Kubernetes{}, kindconfig.Subject{}, err
	}
	kubernetes, err := versions.ForKubernetes(o.kubernetes)
	if err != nil {
		return nil, kubernetes, kindconfig.Subject{}, err
	}
	subject, err := o.subject(ctx, versions)
	if err != nil {
		return nil, kubernetes, subject, err
	}
	o.lists, err = kindconfig.LoadVendorLists(o.knownDefects, o.exemptions)
	return versions, kubernetes, subject, err
}

// ofNode returns the pins of the version of Kubernetes that is in a named node image; where none are pinned, only its
// minor version and its version. An image of another minor version than --kubernetes (asked) names is an
// error of usage.
func ofNode(versions *kindconfig.Versions, asked, node, version string) (kindconfig.Kubernetes, error) {
	minor := kindconfig.Minor(version)
	if asked != "" {
		pins, err := versions.ForKubernetes(asked)
		if err == nil && pins.Minor != minor {
			err = problem.Usage(fmt.Sprintf("%s has Kubernetes %s, and --kubernetes is %s", node, version, asked), "--nodes",
				"name a node image of that version, or leave --kubernetes out")
		}
		return pins, err
	}
	if pins, err := versions.ForKubernetes(minor); err == nil {
		return pins, nil
	}
	return kindconfig.Kubernetes{Minor: minor, Version: version}, nil
}

// within chooses what fits into the budget, where there is one, and says so.
func (s *site) within(ctx context.Context, o *runOptions, builder *images.Builder, kubernetes kindconfig.Kubernetes,
	subject kindconfig.Subject,
) (choice, error) {
	if o.budget == 0 {
		return choice{}, nil
	}
	runs, err := loadRuns(s.at.cache)
	if err != nil {
		return choice{}, err
	}
	build, err := builder.Estimate(ctx, subject, kubernetes)
	if err != nil {
		return choice{}, err
	}
	lag := machine.Meter{}.Glance(ctx, glance)
	chosen := chooseSpecs(o.budget, build.Time, quietTime(runs, kubernetes.Minor), max(s.speed, lag.Slowness()))
	s.say("%s", chosen.estimate())
	if chosen.smoke {
		o.labels = chosen.labels()
	}
	return chosen, nil
}

// glance is how many seconds the driver measures the machine before it estimates how long a run will take.
const glance = 3

// sayTo gives what shows a line with the time.
func sayTo(out io.Writer) func(format string, args ...any) {
	return func(format string, args ...any) {
		_, _ = fmt.Fprintf(out, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}
}

// check refuses flag values that could only fail later.
func (o *runOptions) check(subject kindconfig.Subject) error {
	if err := o.installation.check(subject); err != nil {
		return err
	}
	if o.procs < 1 {
		return problem.Usage(fmt.Sprintf("--procs is %d", o.procs), "qualify run", "give 1 or more")
	}
	if o.timeoutFactor != 0 && !(o.timeoutFactor >= 1 && o.timeoutFactor <= machine.MostFactor) {
		return problem.Usage(fmt.Sprintf("--timeout-factor is %g", o.timeoutFactor), "qualify run", "give a number from 1 to 10, or leave it out")
	}
	for flag, choice := range map[string]struct {
		value   string
		allowed []string
	}{
		"--images": {o.images, []string{images.ChoiceAuto, images.SourcePublished, images.SourceBuilt}},
		"--engine": {o.engine, []string{engine.ChoiceAuto, engine.ChoiceDocker, engine.ChoicePrivate}},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return problem.Usage(fmt.Sprintf("unknown value %q of %s", choice.value, flag), "qualify run", "give one of "+strings.Join(choice.allowed, ", "))
		}
	}
	if o.namedNode() {
		if _, err := name.ParseReference(o.nodes); err != nil {
			return problem.Usage("malformed node image: "+err.Error(), "--nodes",
				"give published, built or an image's reference")
		}
	}
	if _, err := images.NewReader(runtime.GOARCH, o.access); err != nil {
		return err
	}
	if err := checkBudget(o.budget, o.focus, o.labels); err != nil {
		return err
	}
	return checkFilters(o.focus, o.labels)
}

// namedNode reports whether --nodes names one node image.
func (o *runOptions) namedNode() bool {
	return !slices.Contains([]string{"", images.SourceBuilt, images.SourcePublished}, o.nodes)
}

func engineDir(at places) string { return filepath.Join(at.cache, "engine") }

func describeEngine(e *engine.Engine) string {
	kind := "found running"
	if e.Private {
		kind = "private"
	}
	return "Docker " + e.Version + ", " + kind
}

// pointLatest makes _output/latest a link to this run, in one step.
func pointLatest(output, id string) error {
	next := filepath.Join(output, ".latest-"+id)
	if err := os.Symlink(id, next); err != nil {
		return problem.Environment("cannot link the newest run", output, "", err)
	}
	if err := os.Rename(next, filepath.Join(output, latestLink)); err != nil {
		return problem.Environment("cannot link the newest run", filepath.Join(output, latestLink), "move away what is there",
			errors.Join(err, os.Remove(next)))
	}
	return nil
}

// finish gives the verdict of a run and renders its reports. A run that was interrupted, or whose
// engine died, has no verdict: what it left as results would call specs failed that were only stopped.
func finish(ctx context.Context, out io.Writer, job *kindconfig.Job, suiteErr error, allowUndecided bool) error {
	if ctx.Err() != nil {
		return noVerdict(job.Directory, causeOf(ctx, suiteErr))
	}
	_, statErr := os.Stat(job.Path(kindconfig.EnvironmentFile))
	if _, err := os.Stat(job.Path(kindconfig.ResultsFile)); err != nil && statErr != nil {
		why := suiteErr
		if said := crash(job.Path(suiteLog)); said != "" {
			why = errors.New(said)
		}
		return noVerdict(job.Directory, problem.Environment("the suite left no results", job.Path(suiteLog), "read its end", why))
	}
	return conclude(out, job.Directory, allowUndecided)
}
