package xds

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Kind is what sort of proxy a node says it is.
type Kind string

// The kinds of proxies istiod configures.
const (
	Sidecar Kind = "sidecar"
	Router  Kind = "router"
)

// Node is the proxy that a client pretends to be.
type Node struct {
	Kind Kind
	// IP decides which services the node is an endpoint of, hence its inbound listeners: the
	// address of an existing pod gives that pod's configuration.
	IP             string
	Pod, Namespace string
	Labels         map[string]string
	IstioVersion   string
	// Metadata adds to, or replaces, what istiod would otherwise be told.
	Metadata map[string]any
}

// clusterID is how a single istiod calls the cluster it runs in.
const clusterID = "Kubernetes"

// ID is the node id in the form pilot-agent gives it.
func (n Node) ID() string {
	return fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", n.Kind, n.IP, n.Pod, n.Namespace, n.Namespace)
}

func (n Node) proto() (*corev3.Node, error) {
	labels := make(map[string]any, len(n.Labels))
	for key, value := range n.Labels {
		labels[key] = value
	}
	metadata := map[string]any{
		"LABELS":        labels,
		"NAMESPACE":     n.Namespace,
		"ISTIO_VERSION": n.IstioVersion,
		"CLUSTER_ID":    clusterID,
		"INSTANCE_IPS":  n.IP,
		"NAME":          n.Pod,
	}
	for key, value := range n.Metadata {
		metadata[key] = value
	}
	fields, err := structpb.NewStruct(metadata)
	if err != nil {
		return nil, fmt.Errorf("metadata of node %s: %w", n.ID(), err)
	}
	return &corev3.Node{Id: n.ID(), Cluster: n.Pod + "." + n.Namespace, Metadata: fields}, nil
}
