package images

import (
	"cmp"
	"path/filepath"
	"slices"

	"mesh-conformance/kindconfig"
)

// parts completes a prepared subject: where each part came from, with digests, and what repeats the run. A part that is
// not the one that the subject file names is an error.
func (b *Builder) parts(p *plan, subject kindconfig.Subject, images []kindconfig.Image) (kindconfig.Subject, error) {
	var parts []kindconfig.Part
	for _, image := range images {
		if image.Role == RoleSubject {
			parts = append(parts, kindconfig.Part{Name: image.Name, Origin: subject.Origin, From: image.Reference, Digest: image.Digest})
		}
	}
	istioctl, err := b.istioctlPart(p, subject)
	if err != nil {
		return subject, err
	}
	charts, err := b.chartsPart(p, subject)
	if err != nil {
		return subject, err
	}
	parts = append(parts, istioctl, charts)
	for _, part := range subject.Parts {
		if part.Name == kindconfig.PartSource {
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		if asked := subject.Asked.Digests[part.Name]; asked != "" && asked != part.Digest {
			return subject, changed(part.Name, part.From, asked, part.Digest)
		}
	}
	slices.SortStableFunc(parts, func(x, y kindconfig.Part) int { return cmp.Compare(partOrder(x.Name), partOrder(y.Name)) })
	subject.Parts = parts
	subject.Pinned = subject.Pinned && !b.replaced(p, images)
	subject.Asked = b.repeats(p, subject)
	return subject, nil
}

// replaced reports whether the digests of a mirror name another build than the pins for an image of the subject, the
// one that istioctl comes out of included: what is known of the pinned release need not hold for it.
func (b *Builder) replaced(p *plan, images []kindconfig.Image) bool {
	if p.subject.source != SourcePublished {
		return false
	}
	references := []string{p.subject.hub + "/" + istioctlImage + ":" + p.subject.tag}
	for _, image := range images {
		if image.Role == RoleSubject {
			references = append(references, image.Reference)
		}
	}
	return slices.ContainsFunc(references, func(reference string) bool {
		mirrored := b.digests.of(reference)
		return mirrored != "" && mirrored != b.pinnedDigest(reference)
	})
}

func partOrder(name string) int {
	return slices.Index([]string{
		kindconfig.PartSource, kindconfig.PartPilot, kindconfig.PartProxy, kindconfig.PartCNI, kindconfig.PartIstioctl, kindconfig.PartCharts,
	}, name)
}

// istioctlPart says where the subject's istioctl came from.
func (b *Builder) istioctlPart(p *plan, subject kindconfig.Subject) (kindconfig.Part, error) {
	part := kindconfig.Part{Name: kindconfig.PartIstioctl}
	sum, err := fileDigest(filepath.Join(b.store.path(p.subject.istioctl), "istioctl"))
	if err != nil {
		return part, err
	}
	part.Digest = sum
	switch {
	case subject.Asked.Istioctl != "":
		part.Origin, part.From = kindconfig.OriginFile, subject.Asked.Istioctl
	case p.subject.source == SourcePublished && len(p.subject.istioctl.needs) > 0:
		part.Origin, part.From = subject.Origin, p.subject.hub+"/"+istioctlImage+":"+p.subject.tag
	case subject.Origin == kindconfig.OriginSource:
		part.Origin, part.From = kindconfig.OriginSource, subject.Asked.Source
	default:
		part.Origin, part.From = kindconfig.OriginRelease, "built from the module of "+subject.Version
	}
	if subject.Origin == kindconfig.OriginImages && part.Origin == kindconfig.OriginRelease {
		part.From += ", because there is no " + p.subject.hub + "/" + istioctlImage + ":" + p.subject.tag
	}
	return part, nil
}

// chartsPart says where the subject's charts came from.
func (b *Builder) chartsPart(p *plan, subject kindconfig.Subject) (kindconfig.Part, error) {
	part := kindconfig.Part{Name: kindconfig.PartCharts, Origin: subject.Origin, From: "carried by istioctl"}
	if p.subject.charts == nil {
		return part, nil
	}
	sum, err := folderDigest(filepath.Join(b.store.path(p.subject.charts), manifestsPath))
	if err != nil {
		return part, err
	}
	part.Digest = sum
	switch {
	case p.subject.chartsApart:
		part.Origin, part.From = kindconfig.OriginFile, subject.Asked.Charts
	case subject.Origin == kindconfig.OriginSource:
		part.From = filepath.Join(subject.Asked.Source, manifestsPath)
	default:
		part.From = "the module of " + subject.Version
	}
	return part, nil
}

// repeats is what a user asks for to repeat a run of a prepared subject. Digests of what was built here are left out,
// unless they are of the source: another machine's images differ by their base.
func (b *Builder) repeats(p *plan, subject kindconfig.Subject) kindconfig.SubjectFile {
	asked := subject.Asked
	asked.Schema, asked.Name, asked.Digests = kindconfig.SubjectSchema, subject.Name, map[string]string{}
	asked.UpgradeFrom, asked.UpgradeTo = subject.From, subject.To
	asked.Images = b.options.Source
	for _, part := range subject.Parts {
		built := p.subject.source == SourceBuilt
		switch part.Name {
		case kindconfig.PartSource:
		case kindconfig.PartIstioctl:
			if built || part.Origin == kindconfig.OriginRelease {
				continue
			}
		case kindconfig.PartCharts:
			if part.Digest == "" || subject.Origin == kindconfig.OriginSource {
				continue
			}
		default:
			if built {
				continue
			}
		}
		asked.Digests[part.Name] = part.Digest
	}
	return asked
}
