package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// pulledNode is the artifact of kind's own node image, which stays in the engine.
func (b *Builder) pulledNode(kubernetes kindconfig.Kubernetes) (*artifact, error) {
	reference := kubernetes.Published
	if _, err := name.NewDigest(reference); err != nil {
		return nil, problem.Usage(fmt.Sprintf("the published node %q is not pinned by digest", reference), "kindconfig/versions.yaml",
			"pin name:tag@sha256:…")
	}
	return b.engineNode("published-node-"+publishedVersion(kubernetes), reference)
}

// namedNode is the artifact of a node image that the user names. A reference without a digest is taken from the engine
// where the engine has it, so that an image that was built or loaded there needs no registry.
func (b *Builder) namedNode(reference string) (*artifact, error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return nil, problem.Usage("malformed node image: "+err.Error(), "--nodes", "give published, built or an image's reference")
	}
	return b.engineNode("named-node-"+filepath.Base(parsed.Context().RepositoryStr()), reference)
}

// NodeVersion returns the version of Kubernetes, without the leading v, in the node image that the options name. The
// engine pulls it where it lacks it.
func (b *Builder) NodeVersion(ctx context.Context) (string, error) {
	node, err := b.namedNode(b.options.NodeSource)
	if err != nil {
		return "", err
	}
	if err := b.realise(ctx, []*artifact{node}); err != nil {
		return "", err
	}
	made, err := readNode(b.store.path(node))
	if err != nil {
		return "", err
	}
	return made.Traits.Kubernetes, nil
}

// engineNode is the artifact of a node image that is not built here: the engine pulls it, by digest where the reference
// or the mirror's digests have one, and its traits are read from it.
func (b *Builder) engineNode(artifactName, reference string) (*artifact, error) {
	at, node, err := b.nodeAt(reference)
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context, out string, log io.Writer) error {
		if id, err := b.imageID(ctx, at); err == nil && node.Digest == "" {
			_, _ = fmt.Fprintf(log, "the engine has %s, %s\n", at, id)
		} else if err := b.pullNode(ctx, log, at); err != nil {
			return err
		}
		id, err := b.imageID(ctx, at)
		if err != nil {
			return problem.Environment("the container engine has no such image after pulling it", at, "run again", err)
		}
		made := node
		made.Reference, made.ID = at, id
		if made.Traits, err = b.readTraits(ctx, log, at); err != nil {
			return err
		}
		return writeJSON(filepath.Join(out, nodeFile), made)
	}
	return &artifact{
		name: artifactName, inputs: []string{reference, at, node.Digest, node.Pinned, b.goarch, traitsScript}, expect: time.Minute,
		build: build, valid: b.nodeIsThere,
	}, nil
}

// nodeAt is the reference of a node image that the engine pulls, and what is known of the image before.
func (b *Builder) nodeAt(reference string) (at string, node engineNode, err error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return "", node, problem.Usage("malformed node image: "+err.Error(), "kindconfig/versions.yaml", "correct the reference")
	}
	pinned := ""
	if digest, ok := parsed.(name.Digest); ok {
		pinned = digest.DigestStr()
	}
	mapped, err := b.Reader.mirror.Map(parsed)
	if err != nil {
		return "", node, err
	}
	node.Digest, node.Pinned = b.Wanted(reference, pinned)
	if mapped.Name() == parsed.Name() && node.Pinned == "" && node.Digest == pinned {
		return reference, node, nil
	}
	// The tag is kept for the reader; the engine goes by the digest.
	tagged, _, _ := strings.Cut(reference, "@")
	tag, err := name.NewTag(tagged)
	if err != nil {
		return "", node, err
	}
	mirrored, err := b.Reader.mirror.Map(tag)
	if err != nil {
		return "", node, err
	}
	at = mirrored.String()
	if node.Digest != "" {
		at += "@" + node.Digest
	}
	if mapped.Name() != parsed.Name() {
		node.Mirror = at
	}
	return at, node, nil
}

// pullNode has the engine pull a node image of this architecture.
func (b *Builder) pullNode(ctx context.Context, log io.Writer, reference string) error {
	var said bytes.Buffer
	cmd := b.dockerCommand(ctx, "pull", "--quiet", reference)
	cmd.Stdout, cmd.Stderr = log, io.MultiWriter(log, &said)
	if err := run(cmd); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refusalIn(said.String()).problem(reference, errors.New(lastLine(said.String())))
	}
	// An engine pulls the one image of a manifest whatever its architecture.
	out, err := b.dockerCommand(ctx, "inspect", "--type", "image", "--format", "{{.Architecture}}", reference).Output()
	if architecture := strings.TrimSpace(string(out)); err == nil && architecture != "" && architecture != b.goarch {
		return b.registry.foreign(reference)
	}
	return nil
}

// traitsScript prints the traits of a node image, one a line.
const traitsScript = `echo "version $(cat /kind/version)"
if test -e /kind/manifests/default-cni.yaml; then echo default-network; fi
for f in /etc/cni/net.d/*.conflist /etc/cni/net.d/*.conf; do if test -e "$f"; then echo own-network; fi; done
if grep -Eq '^ *SystemdCgroup *= *true' /etc/containerd/config.toml; then echo systemd; fi
if test -d ` + patches + `; then echo patched; fi
`

// readTraits reads the traits of a node image that the engine has. The container has the rights of a node, as kind gives
// them, and no network.
func (b *Builder) readTraits(ctx context.Context, log io.Writer, reference string) (*kindconfig.NodeTraits, error) {
	var printed, said bytes.Buffer
	cmd := b.dockerCommand(ctx, "run", "--rm", "--name", b.bakePrefix()+"traits", "--privileged", "--network=none", "--entrypoint", "/bin/sh",
		reference, "-c", traitsScript)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(log, &printed), io.MultiWriter(log, &said)
	if err := run(cmd); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, problem.Environment("cannot read the properties of the node image "+reference, lastLine(said.String()), "name an image that kind made", err)
	}
	traits, err := parseTraits(printed.String())
	if err != nil {
		return nil, problem.Usage(reference+" is no node image that a cluster can be made of: "+err.Error(), "", "name an image that kind made")
	}
	return &traits, nil
}

// parseTraits reads what traitsScript prints.
func parseTraits(printed string) (kindconfig.NodeTraits, error) {
	traits := kindconfig.NodeTraits{Cgroupfs: true}
	network := false
	for _, line := range strings.Split(printed, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "version":
			traits.Kubernetes = strings.TrimPrefix(value, "v")
		case "default-network":
			network = true
		case "own-network":
			traits.OwnNetwork = true
		case "systemd":
			traits.Cgroupfs = false
		case "patched":
			traits.Patched = true
		}
	}
	switch {
	case traits.Kubernetes == "":
		return traits, errors.New("it has no file /kind/version")
	case !network && !traits.OwnNetwork:
		return traits, errors.New("it has neither /kind/manifests/default-cni.yaml nor a CNI configuration in /etc/cni/net.d")
	}
	// kind installs its manifest wherever the image has one.
	traits.OwnNetwork = !network
	return traits, nil
}
