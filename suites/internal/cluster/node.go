package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/session"
)

// OnNode runs a command, as root, on the node of the cluster that Own made by that name, and gives what it
// wrote to its standard output: there is what no pod gets to see.
func OnNode(ctx context.Context, name, command string, arguments ...string) (string, error) {
	job := session.Job()
	node, err := nodeOf(job.Cluster+"-"+name, job.Network)
	if err != nil {
		return "", err
	}
	evidence.Replay("%s", execCommand(node.String(), command, arguments...))
	return run(ctx, node, command, arguments...)
}

// RunOnNode is OnNode for any cluster of a network, and for when no spec runs.
func RunOnNode(ctx context.Context, cluster, network, command string, arguments ...string) (string, error) {
	node, err := nodeOf(cluster, network)
	if err != nil {
		return "", err
	}
	return run(ctx, node, command, arguments...)
}

// nodeOf finds a cluster's one node.
func nodeOf(cluster, network string) (nodes.Node, error) {
	provider, err := newProvider(network, io.Discard)
	if err != nil {
		return nil, err
	}
	all, err := provider.ListInternalNodes(cluster)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("the cluster %s has %d nodes, not one", cluster, len(all))
	}
	return all[0], nil
}

func run(ctx context.Context, node nodes.Node, command string, arguments ...string) (string, error) {
	var out, complaints bytes.Buffer
	if err := node.CommandContext(ctx, command, arguments...).SetStdout(&out).SetStderr(&complaints).Run(); err != nil {
		return "", fmt.Errorf("%s on node %s: %w: %s", command, node, err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}

// execCommand is how a user repeats an OnNode; every argument is quoted for the shell.
func execCommand(node, command string, arguments ...string) string {
	quoted := "docker exec " + node + " " + command
	for _, argument := range arguments {
		quoted += " '" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
	}
	return quoted
}
