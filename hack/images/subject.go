package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Subject makes the subject of what the user asks for, and rejects what can be known to be wrong before anything is
// downloaded or built. Of images that exist, Builder.Subject finds the version. Errors are of usage, or of a folder that
// cannot be read.
func Subject(ctx context.Context, versions *kindconfig.Versions, asked kindconfig.SubjectFile) (kindconfig.Subject, error) {
	if err := asked.Check(); err != nil {
		return kindconfig.Subject{}, err
	}
	for flag, path := range map[string]*string{
		sourceFlag: &asked.Source, "--istioctl": &asked.Istioctl, "--charts": &asked.Charts,
	} {
		if *path == "" {
			continue
		}
		resolved, err := resolve(*path, flag)
		if err != nil {
			return kindconfig.Subject{}, err
		}
		*path = resolved
	}
	subject, err := versions.Subject(asked)
	if err != nil {
		return kindconfig.Subject{}, err
	}
	switch subject.Origin {
	case kindconfig.OriginSource:
		return locateSource(versions, subject)
	case kindconfig.OriginImages:
		return subject, checkGiven(ctx, subject)
	}
	return subject, nil
}

// resolve returns the absolute path of what a flag names, without symbolic links: what is read through a link that is
// turned later would not be what was looked at first.
func resolve(path, flag string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", problem.Environment("cannot resolve a path", path, "name an absolute one", err)
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", problem.Usage(absolute+" does not exist", flag, "name what is there")
	case err != nil:
		return "", problem.Usage("cannot read a path: "+err.Error(), flag, "name what is readable")
	}
	return resolved, nil
}

// checkGiven rejects a hub or a tag that is malformed, an istioctl that does not execute, and a folder that holds no
// charts.
func checkGiven(ctx context.Context, subject kindconfig.Subject) error {
	reference := subject.Asked.Hub + "/" + kindconfig.PartPilot + ":" + subject.Asked.Tag
	if _, err := name.NewTag(reference); err != nil {
		return problem.Usage("malformed image reference: "+err.Error(), "--hub, --tag",
			"name images like docker.io/istio and 1.20.0")
	}
	if path := subject.Asked.Charts; path != "" {
		if err := checkCharts(path); err != nil {
			return err
		}
	}
	if path := subject.Asked.Istioctl; path != "" {
		if _, err := istioctlVersion(ctx, path, "--istioctl"); err != nil {
			return err
		}
	}
	return nil
}

// Subject completes the subject of images that exist by the version that their pilot-discovery reports: it pulls that
// image. Any other subject is returned as it is.
func (b *Builder) Subject(ctx context.Context, subject kindconfig.Subject) (kindconfig.Subject, error) {
	if subject.Origin != kindconfig.OriginImages {
		return subject, nil
	}
	hub := kindconfig.Hub{Hub: subject.Asked.Hub, Tag: subject.Asked.Tag}
	p := b.planner(ctx)
	program := p.programOf("pilot-discovery", p.pulled(RoleSubject, "", hub, kindconfig.PartPilot)[0])
	if p.err != nil {
		return kindconfig.Subject{}, ofHub(p.err)
	}
	if err := b.realise(ctx, []*artifact{program}); err != nil {
		return kindconfig.Subject{}, ofHub(err)
	}
	reference := hub.Hub + "/" + kindconfig.PartPilot + ":" + hub.Tag
	version, err := pilotVersion(ctx, filepath.Join(b.store.path(program), "pilot-discovery"), reference)
	if err != nil {
		return kindconfig.Subject{}, err
	}
	subject, err = b.versions.Located(subject, version)
	if err != nil {
		return kindconfig.Subject{}, err
	}
	if path := subject.Asked.Istioctl; path != "" {
		own, err := istioctlVersion(ctx, path, "--istioctl")
		if err != nil {
			return kindconfig.Subject{}, err
		}
		if own != version {
			return kindconfig.Subject{}, otherIstioctl(own, version, path)
		}
	}
	return subject, nil
}

func otherIstioctl(own, pilot, path string) error {
	return problem.Usage(fmt.Sprintf("istioctl is of version %s, and pilot of version %s", own, pilot),
		path, "name the istioctl of the same build")
}

// ofHub turns what is to be done about an image that cannot be had to the flags that named it.
func ofHub(err error) error {
	var known *problem.Error
	if !errors.As(err, &known) {
		return err
	}
	own := *known
	switch own.Code {
	case problem.ExitUsage:
		own.Where, own.Do = "--hub, --tag", "name images that exist"
	case problem.ExitEnvironment:
		own.Do = "check the hub, and log in with docker login where it needs that"
	}
	return &own
}

// fromImages plans a subject of images that exist.
func (p *planner) fromImages(subject kindconfig.Subject) mesh {
	hub := kindconfig.Hub{Hub: subject.Asked.Hub, Tag: subject.Asked.Tag}
	made := mesh{
		version: subject.Version, hub: hub.Hub, tag: hub.Tag, source: SourcePublished, flavour: kindconfig.FlavourIstio, proxyVersion: subject.Version,
		images: p.pulled(RoleSubject, "", hub, kindconfig.PartPilot, kindconfig.PartProxy, kindconfig.PartCNI),
	}
	if p.err != nil {
		p.err = ofHub(p.err)
		return made
	}
	made.pilot = p.programOf("pilot-discovery", made.images[0])
	if path := subject.Asked.Istioctl; path != "" {
		made.istioctl = p.given("istioctl", path)
	} else {
		made.istioctl = p.istioctlOf(RoleSubject, hub, subject.Version)
	}
	if path := subject.Asked.Charts; path != "" {
		made.charts, made.chartsApart = p.givenCharts(path), true
	}
	return made
}

// given is the artifact of a program of the user's: a copy, so that a run has one program whatever becomes of the file.
func (p *planner) given(program, path string) *artifact {
	sum, err := fileDigest(path)
	if err != nil {
		p.fail(problem.Usage("cannot read "+program+": "+err.Error(), "--"+program, "name a program"))
		return &artifact{}
	}
	return p.keep(copied("given-"+program, sum, path, program), nil)
}

// givenCharts is the artifact of the user's charts.
func (p *planner) givenCharts(path string) *artifact {
	sum, err := folderDigest(path)
	if known := (*problem.Error)(nil); errors.As(err, &known) {
		p.fail(err)
		return &artifact{}
	}
	if err != nil {
		p.fail(problem.Usage("cannot read the charts: "+err.Error(), "--charts", "name a readable folder"))
		return &artifact{}
	}
	return p.keep(copied("given-charts", sum, path, manifestsPath), nil)
}

// fromSource plans a subject that is built from a source tree.
func (p *planner) fromSource(subject kindconfig.Subject) mesh {
	dir, sum := subject.Asked.Source, subject.Digest(kindconfig.PartSource)
	placed, err := subject.Placed()
	if err != nil {
		p.fail(err)
		return mesh{}
	}
	programs := p.keep(p.b.treePrograms(dir, sum, subject.Version), nil)
	templates := p.keep(fromTree("istio-bootstrap-source", dir, sum, bootstrapPaths...), nil)
	charts := p.keep(fromTree("istio-charts-source", dir, sum, manifestsPath), nil)
	return p.built(subject.Version, p.envoyFor(placed), RoleSubject, programs, templates, charts)
}

// envoyFor is the version of Envoy that a build of a minor version runs on: that of its newest pinned release, or of the
// default release.
func (p *planner) envoyFor(placed *semver.Version) string {
	newest := p.b.versions.Newest(placed)
	if newest == "" {
		newest = p.b.versions.Defaults.Istio
	}
	return p.b.versions.Release(newest).Envoy
}

// verify reads the version that each program of a prepared subject reports, and completes the subject by it and by its
// parts. It changes nothing else.
func (b *Builder) verify(ctx context.Context, p *plan, images []kindconfig.Image) (kindconfig.Subject, error) {
	subject := p.cell.Subject
	version, err := pilotVersion(ctx, filepath.Join(b.store.path(p.subject.pilot), "pilot-discovery"), subject.Name)
	if err != nil {
		return subject, err
	}
	if version != subject.Version {
		if subject.Origin != kindconfig.OriginSource {
			return subject, problem.Usage(fmt.Sprintf("%s was to be of version %s, and its pilot-discovery reports %s", subject.Name, subject.Version, version), "",
				"correct the pins or the tag")
		}
		if subject, err = stamped(b.versions, subject, version); err != nil {
			return subject, err
		}
	}
	istioctl := filepath.Join(b.store.path(p.subject.istioctl), "istioctl")
	own, err := istioctlVersion(ctx, istioctl, subject.Name)
	if err != nil {
		return subject, err
	}
	if own != version {
		return subject, otherIstioctl(own, version, subject.Name)
	}
	return b.parts(p, subject, images)
}

// stamped is the subject of a source tree whose programs report a version of the tree's own. That version may state the
// patch that the file VERSION lacks. An upgrade path that differs from the prepared one is an error of usage.
func stamped(versions *kindconfig.Versions, subject kindconfig.Subject, version string) (kindconfig.Subject, error) {
	made, err := versions.Located(subject, version)
	if err != nil {
		return subject, err
	}
	before, err := subject.Placed()
	if err != nil {
		return subject, err
	}
	now, err := made.Placed()
	if err != nil {
		return subject, err
	}
	if made.From != subject.From || made.To != subject.To {
		return subject, problem.Usage(
			fmt.Sprintf("%s reports version %s, and the upgrades of %s were prepared", subject.Name, version, before),
			sourceFlag+" "+subject.Asked.Source, fmt.Sprintf("say --base %s, which places it there from the start", now))
	}
	if made.Placement != "" && !now.Equal(before) {
		made.Name, made.Placement = strings.TrimSuffix(made.Name, " ("+made.Placement+")"), ""
	}
	return made, nil
}
