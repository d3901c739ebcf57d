package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// stagingReference names the node without images while it is being baked.
const stagingReference = "mesh-conformance/node-staging:latest"

// nodeSetup runs in the staging container: the OCI defaults of kind's base image, then the import of
// the images into containerd's store. They are not unpacked: an overlay cannot be built on an overlay.
// The store then leaves /var, which is a volume of every node: the engine would copy it into each.
// kind's hook, which hides the machine's identity from each container, is left out: it costs half as much as the
// container's start, and nobody here asks for the identity.
const nodeSetup = `set -eu
ctr oci spec | jq 'del(.process.rlimits)' > /etc/containerd/cri-base.json
containerd --log-level warn >/tmp/containerd.log 2>&1 &
pid=$!
until ctr version >/dev/null 2>&1; do
  kill -0 $pid 2>/dev/null || { cat /tmp/containerd.log >&2; exit 1; }
  sleep 0.1
done
ctr -n k8s.io images import --all-platforms --no-unpack --digests /images.tar || { cat /tmp/containerd.log >&2; exit 1; }
kill $pid
wait $pid || true
rm -rf /tmp/containerd.log /run/containerd
mv /var/lib/containerd/io.containerd.content.v1.content ` + contentStore + `
`

// bakePrefix begins the names of the staging containers of this cache. A label would not tell them from
// clusters: a committed image hands its container's labels on to every node made of it.
func (b *Builder) bakePrefix() string {
	sum := sha256.Sum256([]byte(b.store.dir))
	return "mesh-conformance-bake-" + hex.EncodeToString(sum[:4]) + "-"
}

// sweepEngine removes the staging containers of builds that were killed.
func (b *Builder) sweepEngine(ctx context.Context) error {
	var listed, said bytes.Buffer
	cmd := b.dockerCommand(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "name="+b.bakePrefix())
	cmd.Stdout, cmd.Stderr = &listed, &said
	if err := run(cmd); err != nil {
		return problem.Environment("the container engine does not list its containers", lastLine(said.String()), "check the engine", err)
	}
	left := strings.Fields(listed.String())
	if len(left) == 0 {
		return nil
	}
	if err := b.docker(ctx, io.Discard, append([]string{"rm", "--force", "--volumes"}, left...)...); err != nil {
		return err
	}
	// The killed build may have got as far as removing its image.
	_ = b.docker(ctx, io.Discard, "rmi", "--no-prune", stagingReference)
	return nil
}

// bake loads the base, imports the images inside a privileged container and commits it.
func (b *Builder) bake(ctx context.Context, log io.Writer, base, archive, reference string) (err error) {
	if err := b.docker(ctx, log, "load", "--quiet", "--input", base); err != nil {
		return err
	}
	container := b.bakePrefix() + fmt.Sprint(os.Getpid())
	defer func() {
		// Also after Ctrl-C: the container is ours and must not stay.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = b.docker(cleanup, log, "rm", "--force", "--volumes", container)
		err = errors.Join(err, b.docker(cleanup, log, "rmi", "--no-prune", stagingReference))
	}()
	if err := b.docker(ctx, log, "run", "--name", container, "--privileged", "--network=none",
		// The container is beside those of clusters that specs run on; alone it gets the whole machine.
		"--cpu-shares=2",
		"--volume", archive+":/images.tar:ro", "--entrypoint", "/bin/sh", stagingReference, "-c", nodeSetup); err != nil {
		return err
	}
	entrypoint, _ := json.Marshal(nodeConfig.Entrypoint)
	return b.docker(ctx, log, "commit", "--change", "ENTRYPOINT "+string(entrypoint), "--change", "CMD []", container, reference)
}

// dockerCommand prepares a docker command out of reach of the terminal's Ctrl-C. A cancelled one is killed:
// a polite signal would be passed on to the container and waited for.
func (b *Builder) dockerCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := b.engine.Docker(ctx, args...)
	ownGroup(cmd)
	cmd.WaitDelay = stopPatience
	return cmd
}

// docker runs one docker command; its last line of output explains a failure.
func (b *Builder) docker(ctx context.Context, log io.Writer, args ...string) error {
	var tail bytes.Buffer
	cmd := b.dockerCommand(ctx, args...)
	cmd.Stdout, cmd.Stderr = log, io.MultiWriter(log, &tail)
	if err := run(cmd); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return problem.Environment("the container engine refused docker "+args[0], lastLine(tail.String()), "see the build's log", err)
	}
	return nil
}

// imageID is the engine's id of a reference.
func (b *Builder) imageID(ctx context.Context, reference string) (string, error) {
	out, err := b.dockerCommand(ctx, "image", "inspect", "--format", "{{.Id}}", reference).Output()
	return strings.TrimSpace(string(out)), err
}
