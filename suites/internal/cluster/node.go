package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/session"
)

// OnNode runs a command, as root, on the node of the cluster that Own made by that name, and gives what it
// wrote to its standard output: there is what no pod gets to see.
func OnNode(ctx context.Context, name, command string, arguments ...string) (string, error) {
	job := session.Job()
	provider, err := newProvider(job.Network, io.Discard)
	if err != nil {
		return "", err
	}
	nodes, err := provider.ListInternalNodes(job.Cluster + "-" + name)
	if err != nil {
		return "", err
	}
	if len(nodes) != 1 {
		return "", fmt.Errorf("the cluster %s has %d nodes, not one", name, len(nodes))
	}
	evidence.Replay("%s", execCommand(nodes[0].String(), command, arguments...))
	var out, complaints bytes.Buffer
	if err := nodes[0].CommandContext(ctx, command, arguments...).SetStdout(&out).SetStderr(&complaints).Run(); err != nil {
		return "", fmt.Errorf("%s on node %s: %w: %s", command, nodes[0], err, strings.TrimSpace(complaints.String()))
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
