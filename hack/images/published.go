package images

import (
	"context"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// publishedPlan is a cell whose Kubernetes and subject are published images. What measures, and the
// subject's istioctl, are built as ever and loaded into the node with the subject.
func (b *Builder) publishedPlan(ctx context.Context, kubernetes kindconfig.Kubernetes, istio kindconfig.Istio) (*plan, error) {
	hub := istio.Published
	if hub.Hub == "" || hub.Tag == "" {
		return nil, problem.Usage("Istio "+istio.Version+" has no published images", "kindconfig/versions.yaml", "pin a hub and a tag or use --images built")
	}
	p := &planner{b: b, kept: map[string]*artifact{}}
	istioctl := p.istio(istio.Version)
	before, after := b.versions.Release(istio.Upgrade.From), b.versions.Release(istio.Upgrade.To)
	instruments := p.instruments()
	node, err := b.pulledNode(kubernetes)
	p.keep(node, err)
	if p.err != nil {
		return nil, p.err
	}
	result := &plan{
		cell: kindconfig.Cell{
			Kubernetes: publishedVersion(kubernetes), Istio: istio.Version, Subject: kindconfig.ReleaseSubject(istio.Version), Source: SourcePublished,
			Hub: hub.Hub, Tag: hub.Tag, ProxyFlavour: "istio", ProxyVersion: istio.Version,
			Before: publishedRelease(before), After: publishedRelease(after),
		},
		node: node, istioctl: istioctl, before: p.istio(before.Version), after: p.istio(after.Version),
		metallbFiles: instruments.metallbFiles, gatewayCRDs: instruments.gatewayCRDs, charts: p.charts(istio.Version),
	}
	if p.err != nil {
		return nil, p.err
	}
	pull := func(role, suffix string, from kindconfig.Hub, names ...string) error {
		for _, name := range names {
			a, err := b.pulled(ctx, name+suffix, role, from.Hub+"/"+name+":"+from.Tag)
			if err != nil {
				return err
			}
			result.images = append(result.images, a)
		}
		return nil
	}
	if err := pull(RoleSubject, "", hub, "pilot", "proxyv2", "install-cni"); err != nil {
		return nil, err
	}
	for _, other := range []kindconfig.Istio{before, after} {
		if err := pull(RoleRelease, "-"+other.Version, other.Published, "pilot", "proxyv2"); err != nil {
			return nil, err
		}
	}
	measuring, err := b.instrumentImages(instruments)
	if err != nil {
		return nil, err
	}
	result.images = append(result.images, measuring...)
	result.archive = b.archive(result.images)
	return result, nil
}

// publishedRelease is another release as a cell names it, but for its istioctl.
func publishedRelease(istio kindconfig.Istio) kindconfig.Release {
	return kindconfig.Release{Istio: istio.Version, Hub: istio.Published.Hub, Tag: istio.Published.Tag}
}
