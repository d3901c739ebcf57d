package images

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// istioctlImage is the image that Istio publishes its istioctl in, beside the others.
const istioctlImage = "istioctl"

// publishedRelease plans a pinned release whose images are pulled.
func (p *planner) publishedRelease(istio kindconfig.Istio, role string) mesh {
	hub := istio.Published
	if hub.Hub == "" || hub.Tag == "" {
		p.fail(problem.Usage("Istio "+istio.Version+" has no published images",
			"kindconfig/versions.yaml", "pin a hub and a tag or use --images built"))
		return mesh{}
	}
	made := mesh{
		version: istio.Version, hub: hub.Hub, tag: hub.Tag, source: SourcePublished, flavour: kindconfig.FlavourIstio, proxyVersion: istio.Version,
		istioctl: p.istioctlOf(role, hub, istio.Version), charts: p.charts(istio.Version, role),
	}
	suffix := ""
	if role != RoleSubject {
		suffix = "-" + istio.Version
	}
	made.images = p.pulled(role, suffix, hub, kindconfig.PartPilot, kindconfig.PartProxy)
	if role == RoleSubject {
		made.pilot = p.programOf("pilot-discovery", made.images[0])
		made.images = append(made.images, p.pulled(role, "", hub, kindconfig.PartCNI)...)
	}
	return made
}

// pulled plans images of a hub, in the order of their names.
func (p *planner) pulled(role, suffix string, hub kindconfig.Hub, names ...string) []*artifact {
	var images []*artifact
	for _, name := range names {
		a, err := p.pull(role, name+suffix, hub.Hub+"/"+name+":"+hub.Tag)
		images = append(images, p.keep(a, err))
	}
	return images
}

// pull plans one image. Without network it plans a stand-in, of which nobody asks more than whether it is there.
func (p *planner) pull(role, name, reference string) (*artifact, error) {
	if p.offline {
		return &artifact{name: "published-" + name, inputs: []string{reference}}, nil
	}
	return p.b.pulled(p.ctx, name, role, reference)
}

// istioctlOf plans the istioctl of a hub: out of its image, or, where the hub has no such image, built for the version
// that its pilot reports. The artifacts of the subject and of a release have different names, because the subject may be
// a private build that reports the version of that release.
func (p *planner) istioctlOf(role string, hub kindconfig.Hub, version string) *artifact {
	reference := hub.Hub + "/" + istioctlImage + ":" + hub.Tag
	if p.offline || !p.b.lacks(p.ctx, reference) {
		name := istioctlImage
		if role != RoleSubject {
			name += "-" + version
		}
		image, err := p.pull(role, name, reference)
		return p.programOf("istioctl", p.keep(image, err))
	}
	if _, pinned := p.b.versions.Istio[version]; !pinned {
		p.fail(problem.Usage(fmt.Sprintf("there is no istioctl for %s: the image registry has no %s, and no release of this version is pinned to build it from",
			version, reference), "--istioctl", "name the build's own istioctl"))
		return &artifact{}
	}
	return p.istio(version)
}

// lacks reports whether a registry responds that it has no such image. Some registries deny an image that does not
// exist.
func (b *Builder) lacks(ctx context.Context, reference string) bool {
	_, at, err := b.at(reference)
	if err != nil {
		return false
	}
	_, err = remote.Head(at, append([]remote.Option{remote.WithContext(ctx)}, b.registry.options...)...)
	if err == nil {
		return false
	}
	why := refusalOf(err)
	return why == missing || why == denied
}

// fail keeps the first error.
func (p *planner) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
