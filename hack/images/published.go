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
	p := &planner{b: b}
	istioctl := p.istio(istio.Version)
	instruments := p.instruments(istio.Version, istioctl)
	node, err := b.pulledNode(kubernetes)
	p.keep(node, err)
	if p.err != nil {
		return nil, p.err
	}
	result := &plan{
		cell: kindconfig.Cell{
			Kubernetes: publishedVersion(kubernetes), Istio: istio.Version, Source: SourcePublished,
			Hub: hub.Hub, Tag: hub.Tag, ProxyFlavour: "istio", ProxyVersion: istio.Version,
		},
		node: node, istioctl: istioctl, metallbFiles: instruments.metallbFiles, gatewayCRDs: instruments.gatewayCRDs,
	}
	for _, name := range []string{"pilot", "proxyv2"} {
		a, err := b.pulled(ctx, name, RoleSubject, hub.Hub+"/"+name+":"+hub.Tag)
		if err != nil {
			return nil, err
		}
		result.images = append(result.images, a)
	}
	measuring, err := b.instrumentImages(instruments)
	if err != nil {
		return nil, err
	}
	result.images = append(result.images, measuring...)
	result.archive = b.archive(result.images)
	return result, nil
}
