// Program registry serves the images that the suite has built under the names of published ones, from a registry on
// loopback with TLS and a password, so that a run with published images can be made without another registry.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/loopback"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

type options struct {
	cache, dir, address, docker, job string
	nodes                            []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(problem.ExitCode(err))
	}
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Serve built images under published names from a registry on loopback",
		Long: "Serve built images under published names from a registry on loopback, until Ctrl-C.\n\n" +
			"The images are those of a run with built images: job.json in the run's folder names them. The program prints the\n" +
			"environment and the flags of qualify run that read the registry.",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, func(format string, args ...any) { _, _ = fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cache, "cache", "", "the cache of qualify run (default: the user's cache folder)")
	f.StringVar(&o.dir, "dir", "_output/registry", "folder that keeps the registry's images, certificates and credentials")
	f.StringVar(&o.address, "address", "127.0.0.1:5443", "loopback address of the registry")
	f.StringVar(&o.docker, "docker", "docker", "docker command of the engine that has the node images")
	f.StringVar(&o.job, "job", "_output/latest/job.json", "job.json of a run with built images")
	f.StringSliceVar(&o.nodes, "node", nil, "further node images of the engine, as MINOR=REFERENCE, for example 1.25=mesh-conformance/node:v1.25.4-…")
	return cmd
}

func serve(ctx context.Context, o options, say func(string, ...any)) (err error) {
	job, err := kindconfig.LoadJob(o.job)
	if err != nil {
		return err
	}
	versions, err := kindconfig.Load()
	if err != nil {
		return err
	}
	if o.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return problem.Environment("there is no cache folder for this user", "HOME", "set HOME or --cache", err)
		}
		o.cache = filepath.Join(base, "mesh-conformance")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	wanted, err := published(job.Cell, versions)
	if err != nil {
		return err
	}
	nodes, err := nodesOf(job.Cell, versions, o.nodes)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return problem.Environment("cannot write", dir, "make it writable or set --dir", err)
	}
	server, err := loopback.Start(loopback.Options{Dir: dir, Address: o.address})
	if err != nil {
		return problem.Environment("the registry does not start", o.address, "choose another --address", err)
	}
	defer func() {
		if closeErr := server.Close(); err == nil {
			err = closeErr
		}
	}()
	digests := map[string]string{}
	for _, image := range wanted {
		path, err := layoutOf(o.cache, image.digest)
		if err != nil {
			return err
		}
		if digests[image.reference], err = server.PushLayout(ctx, path, image.reference); err != nil {
			return problem.Environment("the registry does not take an image", image.reference, "", err)
		}
		say("serves %s@%s", image.reference, digests[image.reference])
	}
	for reference, node := range nodes {
		if err := pushNode(ctx, o.docker, server, node, reference); err != nil {
			return err
		}
		if digests[reference], err = server.Digest(ctx, reference); err != nil {
			return problem.Environment("the registry lost a node image", reference, "", err)
		}
		say("serves %s@%s", reference, digests[reference])
	}
	file := filepath.Join(dir, "digests.yaml")
	if err := loopback.WriteDigests(file, digests); err != nil {
		return err
	}
	say("DOCKER_CONFIG=%s _output/bin/qualify run --images=published --mirror=%s --mirror-digests=%s --registry-ca=%s",
		server.DockerConfig, server.Host, file, server.CAFile)
	say("the registry runs until Ctrl-C")
	<-ctx.Done()
	return nil
}

// servedImage is an image of the cache and its published reference.
type servedImage struct{ reference, digest string }

// published are the images of a cell that versions.yaml knows as published, with the digests of their layouts.
func published(cell kindconfig.Cell, versions *kindconfig.Versions) ([]servedImage, error) {
	var images []servedImage
	for _, image := range cell.Images {
		if image.Role != "subject" && image.Role != "release" {
			continue
		}
		if image.Source != "built" {
			return nil, problem.Usage(image.Reference+" is not built", "--job", "name a run with --images=built")
		}
		// localhost/mesh-conformance/istio/pilot:1.20.0
		name, tag, _ := strings.Cut(image.Reference[strings.LastIndex(image.Reference, "/")+1:], ":")
		hub := versions.Release(tag).Published
		if hub.Hub == "" {
			return nil, problem.Usage("no published images of Istio "+tag+" are pinned", "kindconfig/versions.yaml", "pin a hub and a tag")
		}
		images = append(images, servedImage{reference: hub.Hub + "/" + name + ":" + hub.Tag, digest: image.Digest})
	}
	if len(images) == 0 {
		return nil, problem.Usage("the run has no images of Istio", "--job", "name a run with --images=built")
	}
	return images, nil
}

// nodesOf maps published references of node images, without digests, to node images of the engine.
func nodesOf(cell kindconfig.Cell, versions *kindconfig.Versions, more []string) (map[string]string, error) {
	nodes := map[string]string{}
	add := func(minor, node string) error {
		pins, err := versions.ForKubernetes(minor)
		if err != nil {
			return err
		}
		tagged, _, _ := strings.Cut(pins.Published, "@")
		if tagged == "" {
			return problem.Usage("no published node image of Kubernetes "+minor+" is pinned", "kindconfig/versions.yaml", "pin one")
		}
		nodes[tagged] = node
		return nil
	}
	numbers := strings.SplitN(cell.Kubernetes, ".", 3)
	if err := add(strings.Join(numbers[:min(2, len(numbers))], "."), cell.Node); err != nil {
		return nil, err
	}
	for _, named := range more {
		minor, node, ok := strings.Cut(named, "=")
		if !ok || node == "" {
			return nil, problem.Usage("malformed node "+named, "--node", "give MINOR=REFERENCE")
		}
		if err := add(minor, node); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// layoutOf finds the layout of the cache whose image has a digest.
func layoutOf(cache, digest string) (string, error) {
	layouts, err := loopback.Layouts(cache)
	if err != nil {
		return "", err
	}
	var names []string
	for name := range layouts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, layout := range layouts[name] {
			var image kindconfig.Image
			content, err := os.ReadFile(filepath.Join(filepath.Dir(layout), "image.json"))
			if err == nil && json.Unmarshal(content, &image) == nil && image.Digest == digest {
				return layout, nil
			}
		}
	}
	return "", problem.Usage("the cache has no image "+digest, cache, "name the cache of the run with --cache")
}

// pushNode has the engine push a node image: it is in the engine only. An engine takes a registry on loopback without
// knowing its authority.
func pushNode(ctx context.Context, docker string, server *loopback.Server, node, published string) error {
	at, err := server.At(published)
	if err != nil {
		return err
	}
	command := strings.Fields(docker)
	for _, args := range [][]string{{"tag", node, at.String()}, {"push", "--quiet", at.String()}, {"rmi", "--no-prune", at.String()}} {
		cmd := exec.CommandContext(ctx, command[0], append(slices.Clone(command[1:]), args...)...)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+server.DockerConfig)
		if said, err := cmd.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(said)), "\n")
			return problem.Environment("the container engine refused docker "+args[0], lines[len(lines)-1], "check that it has "+node, err)
		}
	}
	return nil
}
