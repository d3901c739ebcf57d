package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"mesh-conformance/kindconfig"
)

// pullTries is how often a download that broke off is begun again.
const pullTries = 3

// pulled is the artifact of a published image: the same layout as a built one, with the layers as the
// registry has them. What the reference stands for is asked now, and the digest pulled later.
func (b *Builder) pulled(ctx context.Context, imageName, role, reference string) (*artifact, error) {
	located, err := b.Locate(ctx, reference, b.pinnedDigest(reference))
	if err != nil {
		return nil, err
	}
	digest := located.Manifest
	references := nodeReferences(reference)
	build := func(ctx context.Context, out string, log io.Writer) error {
		_, _ = fmt.Fprintf(log, "pull %s\n", digest)
		if err := b.pull(ctx, log, digest, filepath.Join(out, ociDir), references); err != nil {
			return err
		}
		return writeJSON(filepath.Join(out, imageFile), kindconfig.Image{
			Name: imageName, Reference: reference, Digest: digest.DigestStr(), Source: SourcePublished, Role: role,
			PinnedDigest: located.Pinned, Mirror: located.mirror(),
		})
	}
	return &artifact{
		name: "published-" + imageName, inputs: append([]string{digest.DigestStr(), role, located.Pinned, located.mirror()}, references...), expect: 20 * time.Second, build: build,
	}, nil
}

// pull writes the layout of a manifest; every blob is checked against its digest on the way.
func (b *Builder) pull(ctx context.Context, log io.Writer, digest name.Digest, to string, references []string) error {
	var err error
	for range pullTries {
		// A broken download may have left a blob of the right size and the wrong content.
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		image, refusal := b.registry.image(ctx, digest)
		if refusal != nil {
			return refusal
		}
		if err = writeLayout(to, image, references, b.registry.platform()); err == nil || ctx.Err() != nil || isDiskFull(err) {
			break
		}
		_, _ = fmt.Fprintf(log, "broke off: %v\n", err)
	}
	if err == nil || isDiskFull(err) {
		return err
	}
	return refused(ctx, digest.String(), err)
}

// nodeReferences are the names an image gets in a node's containerd: the one that istioctl renders, and
// the full one that the kubelet makes of it.
func nodeReferences(reference string) []string {
	host, rest, _ := strings.Cut(reference, "/")
	switch {
	case host == "index.docker.io":
		return []string{reference, "docker.io/" + rest}
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		return []string{reference, "docker.io/" + reference}
	}
	return []string{reference}
}

// publishedVersion is the Kubernetes version of the published node: kind publishes other patch releases
// than can be built.
func publishedVersion(kubernetes kindconfig.Kubernetes) string {
	tagged, _, _ := strings.Cut(kubernetes.Published, "@")
	_, tag, _ := strings.Cut(filepath.Base(tagged), ":")
	if version, ok := strings.CutPrefix(tag, "v"); ok && strings.HasPrefix(version, kubernetes.Minor+".") {
		return version
	}
	return kubernetes.Version
}

// archiveFile is the one file of an archive artifact.
const archiveFile = "images.tar"

// archive is the artifact of what is loaded into a node that does not carry it.
func (b *Builder) archive(images []*artifact) *artifact {
	return &artifact{
		name: "side-load", needs: images, expect: 5 * time.Second,
		build: func(_ context.Context, out string, _ io.Writer) error {
			return b.writeArchive(filepath.Join(out, archiveFile), images)
		},
	}
}
