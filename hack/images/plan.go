package images

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mesh-conformance/hack/apt"
	"mesh-conformance/kindconfig"
)

// Hubs of what is built here. The host part resolves nowhere: such an image is in the node or it is missing.
const (
	subjectHub    = "localhost/mesh-conformance/istio"
	instrumentHub = "localhost/mesh-conformance"
	// systemHub is where kubeadm expects Kubernetes' own images.
	systemHub = "registry.k8s.io"
	// metallbHub is what MetalLB's manifest names.
	metallbHub = "quay.io/metallb"
)

// plan is what one cell needs.
type plan struct {
	// cell as far as it is known before anything is made.
	cell kindconfig.Cell
	node *artifact
	// subject is the build under test.
	subject mesh
	// releases are the others of the cell, by version.
	releases     map[string]mesh
	metallbFiles *artifact
	gatewayCRDs  *artifact
	// images in the order of the reports.
	images []*artifact
	// archive of images for a node that does not carry them, or nil.
	archive *artifact
	// tools are the programs, besides Go, that builds of some artifacts run.
	tools map[*artifact]apt.Tool
}

// wanted are the artifacts a run uses itself, in the order to make them where there is a choice.
func (p *plan) wanted() []*artifact {
	wanted := p.subject.programs()
	for _, version := range slices.Sorted(maps.Keys(p.releases)) {
		wanted = append(wanted, p.releases[version].programs()...)
	}
	wanted = append(wanted, p.metallbFiles, p.gatewayCRDs)
	wanted = append(wanted, p.images...)
	wanted = append(wanted, p.node)
	if p.archive != nil {
		wanted = append(wanted, p.archive)
	}
	return wanted
}

// plan lists the artifacts of a cell; nothing is made yet.
func (b *Builder) plan(ctx context.Context, kubernetes kindconfig.Kubernetes, subject kindconfig.Subject) (*plan, error) {
	return newPlan(b.planner(ctx), kubernetes, subject)
}

func newPlan(p *planner, kubernetes kindconfig.Kubernetes, subject kindconfig.Subject) (*plan, error) {
	ofSubject := p.planSubject(subject)
	releases := p.planReleases(subject)
	instruments := p.instruments()
	nodes := p.planNodes(kubernetes)
	if p.err != nil {
		return nil, p.err
	}
	measuring, err := p.b.instrumentImages(instruments)
	if err != nil {
		return nil, err
	}
	result := &plan{
		subject: ofSubject, releases: releases, metallbFiles: instruments.metallbFiles, gatewayCRDs: instruments.gatewayCRDs, tools: p.tools,
		cell: kindconfig.Cell{
			Kubernetes: nodes.version, Istio: subject.Version, Subject: subject, Source: ofSubject.source, NodeSource: nodes.source, NodeTraits: nodes.traits,
			Hub: ofSubject.hub, Tag: ofSubject.tag, ProxyFlavour: ofSubject.flavour, ProxyVersion: ofSubject.proxyVersion,
			ChartsApart: ofSubject.chartsApart, Without: without(subject),
			Before: releases[subject.From].describe(), After: releases[subject.To].describe(),
			Control: releases[p.b.versions.Defaults.Control].describe(),
		},
	}
	result.images = append(append(result.images, ofSubject.images...), nodes.images...)
	for _, version := range othersOf(p.b.versions, subject) {
		result.images = append(result.images, releases[version].images...)
	}
	result.images = append(result.images, measuring...)
	result.node, result.archive = nodes.make(result.images)
	return result, nil
}

// othersOf lists the releases besides the subject that a cell has, each once: what upgrades start from and lead to, and
// the control.
func othersOf(versions *kindconfig.Versions, subject kindconfig.Subject) []string {
	var others []string
	for _, version := range []string{subject.From, subject.To, versions.Defaults.Control} {
		if version != "" && !slices.Contains(others, version) {
			others = append(others, version)
		}
	}
	return others
}

// without says, by label, what specs of a subject's cell cannot have.
func without(subject kindconfig.Subject) map[string]string {
	lacks := map[string]string{}
	before, after := subject.Lacks()
	for label, reason := range map[string]string{kindconfig.NeedsReleaseBefore: before, kindconfig.NeedsReleaseAfter: after} {
		if reason != "" {
			lacks[label] = reason
		}
	}
	return lacks
}

// planner collects the first error, so that the plan reads as a list.
type planner struct {
	b   *Builder
	ctx context.Context
	err error
	// offline plans images that are pulled without asking for them, for what there is to build besides.
	offline bool
	// kept are the artifacts planned so far, by name: releases share some.
	kept  map[string]*artifact
	tools map[*artifact]apt.Tool
}

func (b *Builder) planner(ctx context.Context) *planner {
	return &planner{b: b, ctx: ctx, kept: map[string]*artifact{}, tools: map[*artifact]apt.Tool{}}
}

func (p *planner) program(name, version string, expect time.Duration, ldflags ...string) *artifact {
	a, err := p.b.goProgram(program{name: name, version: version, ldflags: ldflags, expect: expect})
	return p.keep(a, err)
}

// istio builds every program of a release, istioctl included.
func (p *planner) istio(version string) *artifact {
	return p.program("istio", version, 4*time.Minute, istioStamp(version)...)
}

func (p *planner) files(m moduleFiles) *artifact {
	a, err := p.b.moduleFiles(m)
	return p.keep(a, err)
}

// base is the root file system of images that program iptables.
func (p *planner) base() *artifact {
	return p.rootfs("iptables", iptablesPackages, useLegacyIptables)
}

func (p *planner) rootfs(name string, packages []string, hooks ...string) *artifact {
	a := p.keep(p.b.rootfs(name, packages, hooks...), nil)
	p.tools[a] = mmdebstrap
	return a
}

// keep returns the artifact of the plan that has a's name: a, or the same one planned before. Two that differ are an
// error, because one would stand for the other.
func (p *planner) keep(a *artifact, err error) *artifact {
	if err != nil {
		p.fail(err)
	}
	if a == nil {
		return &artifact{}
	}
	if before, ok := p.kept[a.name]; ok {
		if before.key() != a.key() {
			p.fail(fmt.Errorf("two artifacts of a plan differ and are both named %s", a.name))
		}
		return before
	}
	p.kept[a.name] = a
	return a
}

// stamp sets Istio's version as its releases do (istio.io/istio/pkg/version; common/scripts/report_build_info.sh).
func istioStamp(version string) []string {
	pkg := "istio.io/istio/pkg/version"
	return []string{
		"-X", pkg + ".buildVersion=" + version, "-X", pkg + ".buildTag=" + version,
		"-X", pkg + ".buildHub=" + subjectHub, "-X", pkg + ".buildStatus=Clean",
	}
}

// kubernetesStamp sets the version that the API server reports (k8s.io/component-base/version).
func kubernetesStamp(version string) []string {
	parts := strings.SplitN(version, ".", 3)
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags, "-X", pkg+".gitVersion=v"+version, "-X", pkg+".gitMajor="+parts[0], "-X", pkg+".gitMinor="+parts[1],
			"-X", pkg+".gitTreeState=clean")
	}
	return flags
}
