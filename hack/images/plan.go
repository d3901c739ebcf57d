package images

import (
	"context"
	"path/filepath"
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
	cell     kindconfig.Cell
	node     *artifact
	istioctl *artifact
	// before and after build the releases around the subject.
	before, after *artifact
	metallbFiles  *artifact
	gatewayCRDs   *artifact
	// charts of the subject, with istioctl's profiles beside them.
	charts *artifact
	// images in the order of the reports.
	images []*artifact
	// archive of images for a node that does not carry them, or nil.
	archive *artifact
	// tools are the programs, besides Go, that builds of some artifacts run.
	tools map[*artifact]apt.Tool
}

// wanted are the artifacts a run uses itself, in the order to make them where there is a choice.
func (p *plan) wanted() []*artifact {
	wanted := append([]*artifact{p.istioctl, p.before, p.after, p.metallbFiles, p.gatewayCRDs, p.charts}, p.images...)
	wanted = append(wanted, p.node)
	if p.archive != nil {
		wanted = append(wanted, p.archive)
	}
	return wanted
}

// plan lists the artifacts of a cell; nothing is made yet.
func (b *Builder) plan(ctx context.Context, kubernetes kindconfig.Kubernetes, istio kindconfig.Istio) (*plan, error) {
	if b.options.Source == SourcePublished {
		return b.publishedPlan(ctx, kubernetes, istio)
	}
	return b.builtPlan(kubernetes, istio)
}

// planner collects the first error, so that the plan reads as a list.
type planner struct {
	b   *Builder
	err error
	// kept are the artifacts planned so far, by name: releases share some.
	kept map[string]*artifact
}

func (p *planner) program(name, version string, expect time.Duration, ldflags ...string) *artifact {
	a, err := p.b.goProgram(program{name: name, version: version, ldflags: ldflags, expect: expect})
	return p.keep(a, err)
}

// istio builds every program of a version: the subject's and istioctl.
func (p *planner) istio(version string) *artifact {
	return p.program("istio", version, 4*time.Minute, istioStamp(version)...)
}

func (p *planner) files(m moduleFiles) *artifact {
	a, err := p.b.moduleFiles(m)
	return p.keep(a, err)
}

// charts are the Helm charts of a version and istioctl's profiles, from its module.
func (p *planner) charts(version string) *artifact {
	return p.files(moduleFiles{
		name: "istio-charts-" + version, modDir: filepath.Join("hack", "build", "istio-"+version), module: "istio.io/istio",
		paths: []string{"manifests/charts", "manifests/profiles"},
	})
}

func (p *planner) keep(a *artifact, err error) *artifact {
	if p.err == nil && err != nil {
		p.err = err
	}
	if a == nil {
		return &artifact{}
	}
	if before, ok := p.kept[a.name]; ok {
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
