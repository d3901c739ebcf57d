package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/cgroup"
	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func downCommand() *cobra.Command {
	var cache, output string
	var unused time.Duration
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove every cluster of the project and stop the private engine; caches and reports stay",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return down(cmd.Context(), cmd.OutOrStdout(), cache, output, unused)
		},
	}
	addPlaceFlags(cmd, &cache, &output)
	cmd.Flags().DurationVar(&unused, "unused", 0, "also remove images that no run has needed for so long, such as 168h (default: none)")
	return cmd
}

func down(ctx context.Context, out io.Writer, cache, output string, unused time.Duration) (err error) {
	if unused < 0 {
		return problem.Usage("a negative time "+unused.String(), "--unused", "give how long images were not needed, such as 168h")
	}
	at, err := findPlaces(cache, output)
	if err != nil {
		return err
	}
	if err := writable(at.cache, "--cache"); err != nil {
		return err
	}
	held, err := takeLock(at.cache, "down")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	say := sayTo(out)
	options := engine.Options{StateDir: engineDir(at), Source: at.repository, Log: say}
	if err := endSurvivors(held.before.Job, say); err != nil {
		return err
	}
	// A Docker that was only found may hold clusters of ours; nothing is started to look.
	if found, findErr := findEngine(ctx, options); findErr == nil {
		if err := sweepClusters(ctx, found, nil, say); err != nil {
			return err
		}
	}
	if unused > 0 {
		if err := forget(ctx, at.cache, time.Now().Add(-unused), options); err != nil {
			// The engine may run for this alone.
			return errors.Join(err, engine.Stop(context.WithoutCancel(ctx), options))
		}
	}
	return errors.Join(engine.Stop(ctx, options), removeGroups(at, options))
}

// removeGroups removes the control groups that a killed run left; the clusters' own goes with the engine.
func removeGroups(at places, options engine.Options) error {
	clusters, err := engine.CgroupOf(options)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if builds, err := cgroup.OpenBuilds(cgroup.Root, at.cache); err == nil {
		if err := builds.Close(); err != nil {
			options.Log("%v", err)
		}
	}
	return cgroup.RemoveKeepers(cgroup.Root, clusters)
}

// forget removes what no run has needed since a moment, and starts the private engine where that has images to remove.
func forget(ctx context.Context, cache string, since time.Time, options engine.Options) error {
	forgotten, err := images.Forget(ctx, cache, since, func() (images.NodeEngine, error) {
		found, err := engine.Ensure(ctx, options)
		if err != nil {
			return images.NodeEngine{}, err
		}
		return images.NodeEngine{Engine: found, Own: found.Private}, nil
	})
	options.Log("removed %d artifacts that no run has needed since %s", forgotten, since.Format(time.DateTime))
	return err
}

// docker is the part of the engine that sweeping needs.
type docker interface {
	Docker(ctx context.Context, args ...string) *exec.Cmd
}

// clusterPrefix begins the name of every cluster the project makes, clusterLabel is kind's on its nodes.
const (
	clusterPrefix = "mesh-conformance-"
	clusterLabel  = "io.x-k8s.kind.cluster"
	networkName   = "mesh-conformance"
)

// sweepClusters removes what earlier runs left or kept: nodes of clusters with our prefix, bake
// containers, and the network unless a cluster is to be reused. The caller holds the lock.
func sweepClusters(ctx context.Context, e docker, job *kindconfig.Job, say func(string, ...any)) error {
	listed, err := e.Docker(ctx, "ps", "--all", "--format", `{{.ID}} {{.Label "`+clusterLabel+`"}} {{.Label "mesh-conformance"}}`).Output()
	if err != nil {
		return problem.Environment("cannot list containers", "docker ps", "see that the engine answers", err)
	}
	for _, container := range leftovers(string(listed), job) {
		say("removing container %s, left or kept by an earlier run", container)
		if output, err := e.Docker(ctx, "rm", "--force", "--volumes", container).CombinedOutput(); err != nil {
			return problem.Environment("cannot remove container "+container, strings.TrimSpace(string(output)), "remove it by hand", err)
		}
	}
	if job != nil && job.Reuse {
		return nil
	}
	if e.Docker(ctx, "network", "inspect", networkName).Run() == nil {
		if output, err := e.Docker(ctx, "network", "rm", networkName).CombinedOutput(); err != nil {
			return problem.Environment("cannot remove the network "+networkName, strings.TrimSpace(string(output)), "remove it by hand", err)
		}
	}
	return nil
}

// leftovers picks from the list of containers, one `id cluster mark` a line, those that are ours and
// not of the cluster to be reused.
func leftovers(list string, job *kindconfig.Job) []string {
	var ours []string
	for _, line := range strings.Split(list, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		cluster := fields[1]
		if job != nil && job.Reuse && cluster == job.Cluster {
			continue
		}
		if strings.HasPrefix(cluster, clusterPrefix) || cluster == "bake" {
			ours = append(ours, fields[0])
		}
	}
	return ours
}

func findEngine(ctx context.Context, options engine.Options) (*engine.Engine, error) {
	options.Choice = engine.ChoiceDocker
	return engine.Ensure(ctx, options)
}
