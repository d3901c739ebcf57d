package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mesh-conformance/hack/apt"
	"mesh-conformance/hack/cgroup"
	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/machine"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// site is a machine made ready for cells: the cache is locked and the engine runs. Cells run on it one
// after the other.
type site struct {
	id       string
	started  time.Time
	at       places
	versions *kindconfig.Versions
	// subject as far as it is known: without its images until locate has read what they report of themselves.
	subject kindconfig.Subject
	screen  *screen
	say     func(format string, args ...any)
	held    *lock
	engines *engines
	// engine is that of the cell which runs, or of the last.
	engine  *engine.Engine
	options engine.Options
	// speed is how many times slower this machine is than one whose times count as usual.
	speed float64
	// group holds the processes of builds; nil where no control group can be made for them.
	group *cgroup.Builds
	// images builds what cells need; nil until builder has been called.
	images *images.Builder
	// ran says that a suite was begun, crashed that one has ended without results: nobody removed what it made.
	ran, crashed bool
	lost         context.CancelCauseFunc
	// source is where releases of Istio and nodes come from, sourceWhy why, in words for the user.
	source, sourceWhy string
	// nodeSource is where nodes come from: built, published or the reference of a node image.
	nodeSource string
	// access says how image registries are reached.
	access images.Access
	// tools are the programs that builds need and that the machine lacked when the run began.
	tools []apt.Tool
}

// enter makes the machine ready; need gives the free disk space in bytes that the cache must have. The
// context it gives ends when the first engine dies. The caller leaves the site when everything has ended.
func enter(ctx context.Context, out io.Writer, o runOptions, versions *kindconfig.Versions, subject kindconfig.Subject, title string, need func(cache string) uint64) (_ context.Context, _ *site, err error) {
	s := &site{started: time.Now(), versions: versions, subject: subject, screen: &screen{out: out}}
	s.id, s.say = s.started.UTC().Format("20060102-150405"), sayTo(s.screen)
	if s.at, err = findPlaces(o.cache, o.output); err != nil {
		return ctx, nil, err
	}
	for dir, flag := range map[string]string{s.at.cache: "--cache", s.at.output: "--output"} {
		if err := writable(dir, flag); err != nil {
			return ctx, nil, err
		}
	}
	if s.held, err = takeLock(s.at.cache, s.id); err != nil {
		return ctx, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.held.release())
		}
	}()
	s.say("run %s: %s", s.id, title)
	if subject.Placement != "" {
		s.say("the build is %s, which names no patch; --base X.Y.Z places it at one", subject.Placement)
	}
	s.speed = machine.Speed()
	if err := endSurvivors(s.held.before.Job, s.say); err != nil {
		return ctx, nil, err
	}
	if err := checkDisk(ctx, s.at.cache, need(s.at.cache)); err != nil {
		return ctx, nil, err
	}
	s.options = engine.Options{StateDir: engineDir(s.at), Choice: o.engine, Source: s.at.repository, Log: s.say}
	if err := s.plan(ctx, o); err != nil {
		return ctx, nil, err
	}
	until, lost := context.WithCancelCause(ctx)
	s.lost, s.engines = lost, newEngines(until, s.options, s.say)
	var life context.Context
	if s.engine, life, err = s.engines.alive(until); err != nil {
		lost(nil)
		return ctx, nil, causeOf(ctx, err)
	}
	return life, s, nil
}

// plan decides where images come from, and lists the programs that building them needs and the machine lacks. They are
// installed before the first build, together with the engine where that is missing too.
func (s *site) plan(ctx context.Context, o runOptions) error {
	// Every pinned version of Kubernetes needs the same programs.
	cells, err := chosen(s.versions, nil)
	if err != nil {
		return err
	}
	release := s.versions.Defaults.Control
	if s.subject.Origin == kindconfig.OriginRelease {
		release = s.subject.Version
	}
	s.access = o.access
	s.source, s.sourceWhy = images.Decide(ctx, o.images, s.versions.Release(release), o.access)
	s.nodeSource = cmp.Or(o.nodes, s.source)
	options := images.Options{Repository: s.at.repository, Cache: s.at.cache, Source: s.source, NodeSource: s.nodeSource}
	s.tools = images.Tools(ctx, s.versions, cells, s.subject, options)
	for _, tool := range s.tools {
		s.options.Packages = append(s.options.Packages, tool.Package)
	}
	return nil
}

// leave removes what an interrupted or crashed run left and frees the machine.
func (s *site) leave(ctx context.Context) error {
	s.engine, _ = s.engines.current() // a build may have started it after the last cell
	if ctx.Err() != nil || s.crashed {
		tidy(ctx, s.engine, s.options, s.started, s.ran, s.say)
	}
	s.lost(nil)
	if s.group != nil {
		if err := s.group.Close(); err != nil {
			s.say("the control group of builds stays until the next run: %v", err)
		}
	}
	return s.held.release()
}

// builder prepares building; there is one for all cells, since a second would take the first one's work
// for leftovers.
func (s *site) builder(ctx context.Context, progress images.Progress) (*images.Builder, error) {
	s.say("images of Istio's releases and of Kubernetes: %s (%s)", s.source, s.sourceWhy)
	if err := images.InstallTools(ctx, s.tools, s.say); err != nil {
		return nil, err
	}
	var err error
	if s.group, err = cgroup.OpenBuilds(cgroup.Root, s.at.cache); err != nil {
		s.say("builds wait while specs run, because no control group can be made for them: %v", err)
	}
	s.images, err = images.New(ctx, s.engines, s.versions, images.Options{
		Repository: s.at.repository, Cache: s.at.cache, Source: s.source, NodeSource: s.nodeSource, Access: s.access, Progress: progress, Log: s.say, Group: s.group,
	})
	return s.images, err
}

// locator completes a subject with what its images and sources report: the builder does.
type locator interface {
	Subject(ctx context.Context, subject kindconfig.Subject) (kindconfig.Subject, error)
}

// locate completes the site's subject, so that everything afterwards goes by its release, and returns it.
func (s *site) locate(ctx context.Context, by locator) (kindconfig.Subject, error) {
	located, err := by.Subject(ctx, s.subject)
	if err != nil {
		return kindconfig.Subject{}, err
	}
	s.subject = located
	return located, nil
}

// suite is the compiled suite and what the filters select of it.
type suite struct {
	tools   suiteTools
	listing *kindconfig.Listing
}

// prepare builds a cell and, beside it, the suite. A suite that does not compile is reported at once, and builds
// that are under way end before prepare returns, so that their products are kept. Filters that select nothing, and a
// vendor's lists that do not fit the suite, end the builds.
func (s *site) prepare(ctx context.Context, o runOptions, build func(context.Context) error) (made suite, err error) {
	building, stop := context.WithCancel(ctx)
	defer stop()
	built := make(chan error, 1)
	go func() { built <- build(building) }()
	made.tools, err = buildSuite(ctx, s.at.repository, filepath.Join(s.at.cache, "bin"))
	if err != nil && ctx.Err() == nil {
		s.say("%v: builds that are under way end first", err)
		s.images.EndInOrder(err)
	}
	if err == nil {
		made.listing, err = survey(ctx, made.tools, o.focus, o.labels)
	}
	if err == nil && made.listing.Selected() == 0 {
		err = noSpec(o.focus, o.labels)
		stop()
	}
	if err == nil {
		if err = s.fits(o, made.listing); err != nil {
			stop()
		}
	}
	if failed := <-built; err == nil {
		err = failed
	}
	return made, err
}

// fits is fits of a run's lists, for the build that the run judges. A negative control has to lack a promise.
func (s *site) fits(o runOptions, listing *kindconfig.Listing) error {
	if o.control && !lacksPromise(s.subject, listing) {
		return problem.Usage(fmt.Sprintf("%s makes every promise of the suite's specs", s.subject.Name), "selfcheck-release",
			"name a release that is older than one of them")
	}
	return fits(o.lists, s.subject, listing)
}

// job describes one run of a cell in a folder.
func (s *site) job(o runOptions, id, minor string, cell *kindconfig.Cell) *kindconfig.Job {
	return &kindconfig.Job{
		Run: id, Started: time.Now().UTC().Truncate(time.Second), Command: "qualify " + strings.Join(os.Args[1:], " "),
		Filter: strings.Join(filterArguments("--", o.focus, o.labels), " "), Procs: o.procs, Engine: describeEngine(s.engine),
		Directory: filepath.Join(s.at.output, filepath.FromSlash(id)), Cluster: clusterPrefix + minor, Network: networkName,
		Kubeconfig: filepath.Join(s.at.cache, "kubeconfig-"+minor), Lock: lockPath(s.at.cache),
		Keep: o.keep, Reuse: o.reuse, Serial: o.serial, EveryPromise: o.everyPromise, Lists: o.lists, Cell: o.installation.of(cell),
	}
}

// run runs the suite on a cell and gives its verdict.
func (s *site) run(ctx context.Context, out io.Writer, o runOptions, job *kindconfig.Job, with suite) (failed error) {
	if err := os.MkdirAll(job.Directory, 0o755); err != nil {
		return problem.Environment("cannot write", job.Directory, "make it writable or set --output", err)
	}
	release, err := s.images.Beside(ctx)
	if err != nil {
		return noVerdict(job.Directory, causeOf(ctx, err))
	}
	defer release()
	defer s.weigh(ctx)()
	paced, err := startPace(ctx, job, s.meter(), o.timeoutFactor, s.speed, s.say)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, paced.end()) }()
	if err := errors.Join(job.Save(), job.Cell.Subject.Asked.Save(job.Path(kindconfig.SubjectName)), s.held.starts(job.Path(kindconfig.JobFile))); err != nil {
		return err
	}
	if err := sweepClusters(ctx, s.engine, job, s.say); err != nil {
		return noVerdict(job.Directory, causeOf(ctx, err))
	}
	s.ran = true
	begun := time.Now()
	shown := newDisplay(out, with.listing.Selected())
	s.screen.use(shown)
	suiteErr := runSuite(ctx, shown, job, o, with.tools, s.engine.Environ())
	s.screen.use(nil)
	shown.close()
	if _, err := os.Stat(job.Path(kindconfig.ResultsFile)); err != nil {
		s.crashed = true
	} else if job.Filter == "" && !job.Reuse && ctx.Err() == nil && ranWhole(job) {
		if err := rememberRun(s.at.cache, runOf(job, s.speed, begun, time.Now())); err != nil {
			s.say("the next estimate is made without this run: %v", err)
		}
	}
	return finish(ctx, out, job, suiteErr, o.allowUndecided)
}

// meter measures the machine, and knows the builds and the clusters on it where they are in control groups.
func (s *site) meter() machine.Meter {
	var m machine.Meter
	if s.group != nil {
		m.Builds = s.group.Threads
	}
	if clusters := s.engine.Cgroup(); clusters != "" {
		m.Group = clusters
		m.Clusters = func() (time.Duration, error) { return cgroup.Usage(cgroup.Root, clusters) }
	}
	return m
}

// ranWhole reports whether a job's suite was provisioned and ran all specs that it could.
func ranWhole(job *kindconfig.Job) bool {
	_, err := os.Stat(job.Path(kindconfig.EnvironmentFile))
	results, loadErr := reports.Load(job.Path(kindconfig.ResultsFile))
	return os.IsNotExist(err) && loadErr == nil && results.Totals.NotRun == 0 && results.Totals.Total > 0
}

// runOf describes a run of the whole suite that began and ended at these moments, on a machine of a speed
// (machine.Speed). What cannot be read counts as 0, or as a quiet machine.
func runOf(job *kindconfig.Job, speed float64, begun, ended time.Time) wholeRun {
	made := wholeRun{Kubernetes: kindconfig.Minor(job.Cell.Kubernetes), Ended: ended.UTC().Truncate(time.Second), Slowness: max(1, speed)}
	if log, err := os.ReadFile(job.Path(provisioningLog)); err == nil {
		made.Provisioning = provisioned(string(log))
	}
	made.Specs = max(0, ended.Sub(begun).Seconds()-made.Provisioning)
	if samples, err := machine.Load(job.Path(kindconfig.MachineFile)); err == nil {
		made.Slowness = max(made.Slowness, machine.Between(samples, begun, ended).Slowness())
	}
	return made
}

// weigh gives the clusters of a private engine a weight by their number, and driver, suite and engine the same,
// until the returned function is called.
func (s *site) weigh(ctx context.Context) (stop func()) {
	group := s.engine.Cgroup()
	if group == "" {
		return func() {}
	}
	keepers, err := cgroup.OpenKeepers(cgroup.Root, group, append(s.engine.Processes(), os.Getpid())...)
	if err != nil {
		// Clusters that weigh more would starve them.
		s.say("the clusters keep the weight of one program beside others of this machine: %v", err)
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := cgroup.Weigh(ctx, cgroup.Root, group); err != nil {
			s.say("the clusters keep the weight of one program beside others of this machine: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
		if err := keepers.Close(); err != nil {
			s.say("%v", err)
		}
	}
}
