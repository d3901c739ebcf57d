package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Listed is a published image that a cell needs.
type Listed struct {
	// Reference has a tag and no digest.
	Reference string `json:"reference"`
	// Digest is the pinned one, that of the mirror's digests, or else what the registry has, of an index or a manifest;
	// empty where it is not known.
	Digest string `json:"digest,omitempty"`
	// Pinned is the pinned digest that the mirror's replaces.
	Pinned string `json:"pinnedDigest,omitempty"`
	// Role is subject, release or kubernetes.
	Role string `json:"role"`
	// Platform is what a run on this machine reads of it, for example linux/amd64.
	Platform string `json:"platform"`
	// Mirror is where the image is read, where that is a mirror.
	Mirror string `json:"mirror,omitempty"`
}

// List returns the published images of a cell: the node, the subject, the releases of its upgrade path and the control. The registry
// is asked only for digests that neither versions.yaml nor the mirror's digests have. The error, one line of the
// environment or of usage, says why the first of the digests is unknown; the list is whole all the same.
func List(ctx context.Context, reader Reader, versions *kindconfig.Versions, kubernetes kindconfig.Kubernetes,
	subject kindconfig.Subject,
) ([]Listed, error) {
	var listed []Listed
	var failed []error
	down := false
	add := func(reference, pinned, role string) {
		image := Listed{Reference: reference, Role: role, Platform: "linux/" + reader.registry.arch}
		image.Digest, image.Pinned = reader.Wanted(reference, pinned)
		asked, at, err := reader.at(reference)
		switch {
		case err != nil:
			failed = append(failed, err)
		case asked.Name() != at.Name():
			image.Mirror = at.String()
		}
		// A registry that was not reached is not asked again: each try has its patience.
		if err == nil && image.Digest == "" && !down {
			if image.Digest, err = reader.Digest(ctx, reference); err != nil {
				failed = append(failed, err)
				down = problem.ExitCode(err) == problem.ExitEnvironment
			}
		}
		listed = append(listed, image)
	}
	if kubernetes.Published == "" {
		failed = append(failed, problem.Usage("no published node image of Kubernetes "+kubernetes.Version+" is pinned", "kindconfig/versions.yaml", "pin one"))
	} else {
		tagged, digest, _ := strings.Cut(kubernetes.Published, "@")
		add(tagged, digest, RoleKubernetes)
	}
	release := func(of kindconfig.Istio, role string, names ...string) {
		for _, image := range names {
			reference := of.Published.Hub + "/" + image + ":" + of.Published.Tag
			if _, err := name.NewTag(reference); err != nil {
				failed = append(failed, problem.Usage("Istio "+of.Version+" has no published images", "kindconfig/versions.yaml", "set published: {hub, tag} of the release"))
				return
			}
			add(reference, of.Published.Digests[image], role)
		}
	}
	of := versions.Release(subject.Version)
	if subject.Origin == kindconfig.OriginImages {
		of = kindconfig.Istio{Version: subject.Name, Published: kindconfig.Hub{Hub: subject.Asked.Hub, Tag: subject.Asked.Tag}}
	}
	// A build from source has no published images.
	if subject.Origin != kindconfig.OriginSource {
		release(of, RoleSubject, "pilot", "proxyv2", "install-cni", istioctlImage)
	}
	for _, other := range othersOf(versions, subject) {
		release(versions.Release(other), RoleRelease, "pilot", "proxyv2", istioctlImage)
	}
	if len(failed) == 0 {
		return listed, nil
	}
	unknown := 0
	for _, image := range listed {
		if image.Digest == "" {
			unknown++
		}
	}
	var first *problem.Error
	if unknown == 0 || !errors.As(failed[0], &first) {
		return listed, failed[0]
	}
	return listed, &problem.Error{Code: first.Code, What: fmt.Sprintf("the digests of %d of %d images are unknown", unknown, len(listed)), Cause: first}
}
