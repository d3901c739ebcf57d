package images

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mesh-conformance/hack/problem"
)

// stagingReference names the node without images while it is being baked.
const stagingReference = "mesh-conformance/node-staging:latest"

// nodeSetup runs in the staging container: the OCI defaults of kind's base image, then the import of
// the images into containerd's store. They are not unpacked: an overlay cannot be built on an overlay.
const nodeSetup = `set -eu
ctr oci spec | jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' > /etc/containerd/cri-base.json
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
`

// bakeLabel marks staging containers. A second label names the cache, so that nobody's but the own ones
// are removed.
const bakeLabel = "mesh-conformance=bake"

func (b *Builder) cacheLabel() string { return "mesh-conformance.cache=" + b.store.dir }

// sweepEngine removes the staging containers of builds that were killed.
func (b *Builder) sweepEngine(ctx context.Context) error {
	out, err := b.engine.Docker(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+bakeLabel, "--filter", "label="+b.cacheLabel()).Output()
	if err != nil {
		return problem.Environment("the container engine does not list its containers", "docker ps", "check the engine", err)
	}
	left := strings.Fields(string(out))
	if len(left) == 0 {
		return nil
	}
	return b.docker(ctx, io.Discard, append([]string{"rm", "--force", "--volumes"}, left...)...)
}

// bake loads the base, imports the images inside a privileged container and commits it.
func (b *Builder) bake(ctx context.Context, log io.Writer, base, archive, reference string) (err error) {
	if err := b.docker(ctx, log, "load", "--quiet", "--input", base); err != nil {
		return err
	}
	container := "mesh-conformance-bake-" + fmt.Sprint(os.Getpid())
	defer func() {
		// Also after Ctrl-C: the container is ours and must not stay.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = b.docker(cleanup, log, "rm", "--force", "--volumes", container)
		err = errors.Join(err, b.docker(cleanup, log, "rmi", "--no-prune", stagingReference))
	}()
	if err := b.docker(ctx, log, "run", "--name", container, "--label", bakeLabel, "--label", b.cacheLabel(), "--privileged", "--network=none",
		"--volume", archive+":/images.tar:ro", "--entrypoint", "/bin/sh", stagingReference, "-c", nodeSetup); err != nil {
		return err
	}
	entrypoint, _ := json.Marshal(nodeConfig.Entrypoint)
	return b.docker(ctx, log, "commit", "--change", "ENTRYPOINT "+string(entrypoint), "--change", "CMD []", container, reference)
}

// docker runs one docker command; its last line of output explains a failure.
func (b *Builder) docker(ctx context.Context, log io.Writer, args ...string) error {
	var tail bytes.Buffer
	cmd := b.engine.Docker(ctx, args...)
	cmd.Stdout, cmd.Stderr = log, io.MultiWriter(log, &tail)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return problem.Environment("the container engine refused docker "+args[0], lastLine(tail.String()), "see the build's log", err)
	}
	return nil
}

// imageID is the engine's id of a reference.
func (b *Builder) imageID(ctx context.Context, reference string) (string, error) {
	out, err := b.engine.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", reference).Output()
	return strings.TrimSpace(string(out)), err
}
