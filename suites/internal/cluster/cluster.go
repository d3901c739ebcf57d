// Package cluster makes and removes kind clusters from the cell's node image.
package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/log"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/kube"
)

// Options of a cluster.
type Options struct {
	Name string
	// Network is the engine's network to put the nodes on; kind makes it where it is missing.
	Network string
	Cell    *kindconfig.Cell
	// Kubeconfig is written with mode 0600; the user's own is not touched.
	Kubeconfig string
	// Log receives what kind says.
	Log io.Writer
}

// Create makes a cluster and connects to it. The API server answers when it returns; the node may not
// be ready yet. A half-made cluster is removed.
func Create(ctx context.Context, o Options) (*kube.Client, error) {
	config, err := kindconfig.Cluster(o.Cell.NodeTraits, o.Cell.Kubernetes)
	if err != nil {
		return nil, err
	}
	provider, err := newProvider(o.Network, o.Log)
	if err != nil {
		return nil, err
	}
	err = provider.Create(o.Name,
		cluster.CreateWithV1Alpha4Config(config),
		cluster.CreateWithNodeImage(o.Cell.Node),
		cluster.CreateWithKubeconfigPath(o.Kubeconfig),
		cluster.CreateWithWaitForReady(0),
		cluster.CreateWithDisplayUsage(false),
		cluster.CreateWithDisplaySalutation(false),
	)
	if err != nil {
		return nil, problem.Environment("cannot create the kind cluster "+o.Name, o.Cell.Node, "see suite.log", err)
	}
	if err := os.Chmod(o.Kubeconfig, 0o600); err != nil {
		return nil, err
	}
	if err := loadArchives(provider, o); err != nil {
		return nil, err
	}
	client, err := kube.Connect(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := makeDNSPatient(ctx, client); err != nil {
		return nil, problem.Environment("cannot prepare the kind cluster "+o.Name, "", "see suite.log", err)
	}
	return client, nil
}

// loadArchives side-loads what the node image does not carry.
func loadArchives(provider *cluster.Provider, o Options) error {
	nodes, err := provider.ListInternalNodes(o.Name)
	if err != nil {
		return problem.Environment("cannot list the nodes of "+o.Name, "", "", err)
	}
	for _, path := range o.Cell.Archives {
		for _, node := range nodes {
			archive, err := os.Open(path)
			if err != nil {
				return problem.Environment("an image archive is missing", path, "build the cell again", err)
			}
			err = nodeutils.LoadImageArchive(node, archive)
			_ = archive.Close()
			if err != nil {
				return problem.Environment("cannot load an image archive into "+node.String(), path, "", err)
			}
		}
	}
	return nil
}

// Delete removes a cluster; one that does not exist is no error.
func Delete(name, network, kubeconfig string, log io.Writer) error {
	provider, err := newProvider(network, log)
	if err != nil {
		return err
	}
	if err := provider.Delete(name, kubeconfig); err != nil {
		return fmt.Errorf("delete the cluster %s: %w", name, err)
	}
	if err := os.Remove(kubeconfig); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func newProvider(network string, out io.Writer) (*cluster.Provider, error) {
	// kind reads the network's name from the environment only (pkg/cluster/internal/providers/docker).
	if err := os.Setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", network); err != nil {
		return nil, err
	}
	return cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(&logger{out: out, begun: time.Now()})), nil
}

// logger writes kind's messages with the time since the beginning, which shows where provisioning spends it.
type logger struct {
	out   io.Writer
	begun time.Time
}

var _ log.Logger = &logger{}

func (l *logger) print(message string) {
	_, _ = fmt.Fprintf(l.out, "kind %6.1fs %s\n", time.Since(l.begun).Seconds(), strings.TrimSpace(message))
}

func (l *logger) Warn(message string)               { l.print(message) }
func (l *logger) Warnf(format string, args ...any)  { l.print(fmt.Sprintf(format, args...)) }
func (l *logger) Error(message string)              { l.print(message) }
func (l *logger) Errorf(format string, args ...any) { l.print(fmt.Sprintf(format, args...)) }
func (l *logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return l
}
func (l *logger) Info(message string)              { l.print(message) }
func (l *logger) Infof(format string, args ...any) { l.print(fmt.Sprintf(format, args...)) }
func (l *logger) Enabled() bool                    { return true }
