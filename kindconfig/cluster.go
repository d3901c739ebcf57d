package kindconfig

import (
	_ "embed"
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

//go:embed cluster.yaml
var clusterYAML []byte

//go:embed cluster-traits.yaml
var traitPatchesYAML []byte

//go:embed cluster-gates.yaml
var gatesYAML []byte

// Cluster is kind's configuration for a cell. The traits of the node image decide about its pod network and the
// kubelet's cgroup driver; the version of Kubernetes decides which feature gates can be on.
func Cluster(traits NodeTraits, kubernetes string) (*v1alpha4.Cluster, error) {
	cluster, err := parseCluster(clusterYAML, traitPatchesYAML, traits)
	if err != nil {
		return nil, err
	}
	cluster.FeatureGates, err = parseGates(gatesYAML, kubernetes)
	return cluster, err
}

// parseGates gives the gates that a version of Kubernetes, 1.28.15 or v1.28.15, knows.
func parseGates(content []byte, kubernetes string) (map[string]bool, error) {
	running, err := version.ParseGeneric(kubernetes)
	if err != nil {
		return nil, problem.Usage("the version of Kubernetes is malformed: "+err.Error(), kubernetes, "name one like 1.28.15")
	}
	var gates map[string]string
	if err := yaml.UnmarshalStrict(content, &gates); err != nil {
		return nil, problem.Usage("malformed feature gates: "+err.Error(), "kindconfig/cluster-gates.yaml", "correct the file")
	}
	on := map[string]bool{}
	for gate, first := range gates {
		since, err := version.ParseGeneric(first)
		if err != nil {
			return nil, problem.Usage(fmt.Sprintf("the first version of %s is malformed: %v", gate, err), "kindconfig/cluster-gates.yaml", "correct the file")
		}
		if running.AtLeast(since) {
			on[gate] = true
		}
	}
	return on, nil
}

func parseCluster(content, traitPatches []byte, traits NodeTraits) (*v1alpha4.Cluster, error) {
	var cluster v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(content, &cluster); err != nil {
		return nil, problem.Usage("malformed cluster configuration: "+err.Error(), "kindconfig/cluster.yaml", "correct the file")
	}
	if len(cluster.Nodes) == 0 {
		return nil, problem.Usage("the cluster configuration has no node", "kindconfig/cluster.yaml", "list one")
	}
	var patches struct {
		OwnNetwork string `json:"ownNetwork"`
		Patched    string `json:"patched"`
		Cgroupfs   string `json:"cgroupfs"`
	}
	if err := yaml.UnmarshalStrict(traitPatches, &patches); err != nil {
		return nil, problem.Usage("malformed cluster configuration: "+err.Error(), "kindconfig/cluster-traits.yaml", "correct the file")
	}
	for _, follows := range []struct {
		has   bool
		patch string
	}{{traits.OwnNetwork, patches.OwnNetwork}, {traits.Patched, patches.Patched}, {traits.Cgroupfs, patches.Cgroupfs}} {
		if follows.has {
			cluster.KubeadmConfigPatches = append(cluster.KubeadmConfigPatches, follows.patch)
		}
	}
	for i, patch := range cluster.KubeadmConfigPatches {
		var kind struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(patch), &kind); err != nil || kind.Kind == "" {
			return nil, problem.Usage(fmt.Sprintf("kubeadm patch %d names no kind", i+1), "kindconfig/cluster.yaml", "correct the file")
		}
	}
	cluster.Networking.DisableDefaultCNI = traits.OwnNetwork
	return &cluster, nil
}
