package kindconfig

import (
	_ "embed"
	"fmt"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

//go:embed cluster.yaml
var clusterYAML []byte

//go:embed cluster-built.yaml
var builtPatchesYAML []byte

// Cluster is kind's configuration for a cell: built nodes bring a CNI configuration of their own,
// published ones kind's.
func Cluster(source string) (*v1alpha4.Cluster, error) {
	return parseCluster(clusterYAML, builtPatchesYAML, source == "built")
}

func parseCluster(content, builtPatches []byte, built bool) (*v1alpha4.Cluster, error) {
	var cluster v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(content, &cluster); err != nil {
		return nil, problem.Usage("malformed cluster configuration: "+err.Error(), "kindconfig/cluster.yaml", "correct the file")
	}
	if len(cluster.Nodes) == 0 {
		return nil, problem.Usage("the cluster configuration has no node", "kindconfig/cluster.yaml", "list one")
	}
	if built {
		var patches []string
		if err := yaml.UnmarshalStrict(builtPatches, &patches); err != nil {
			return nil, problem.Usage("malformed cluster configuration: "+err.Error(), "kindconfig/cluster-built.yaml", "correct the file")
		}
		cluster.KubeadmConfigPatches = append(cluster.KubeadmConfigPatches, patches...)
	}
	for i, patch := range cluster.KubeadmConfigPatches {
		var kind struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(patch), &kind); err != nil || kind.Kind == "" {
			return nil, problem.Usage(fmt.Sprintf("kubeadm patch %d names no kind", i+1), "kindconfig/cluster.yaml", "correct the file")
		}
	}
	cluster.Networking.DisableDefaultCNI = built
	return &cluster, nil
}
