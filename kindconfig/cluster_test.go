package kindconfig

import (
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestClusterBringsItsOwnCNIOnlyWhenBuilt(t *testing.T) {
	for source, want := range map[string]bool{"built": true, "published": false} {
		cluster, err := Cluster(source, "1.28.15")
		if err != nil {
			t.Fatal(err)
		}
		if cluster.Networking.DisableDefaultCNI != want {
			t.Errorf("%s: DisableDefaultCNI is %v, want %v", source, !want, want)
		}
		if got := strings.Contains(strings.Join(cluster.KubeadmConfigPatches, ""), "allocate-node-cidrs"); got != want {
			t.Errorf("%s: the allocator of node CIDRs is off: %v, want %v", source, got, want)
		}
	}
}

func TestClusterHasTheGatesThatItsVersionKnows(t *testing.T) {
	for kubernetes, want := range map[string]bool{
		"1.25.4": false, "1.26.13": false, "v1.27.4": false, "1.28.0": true, "v1.28.15": true, "1.30.0": true,
	} {
		cluster, err := Cluster("built", kubernetes)
		if err != nil {
			t.Fatal(err)
		}
		if got := cluster.FeatureGates["SidecarContainers"]; got != want {
			t.Errorf("%s: SidecarContainers is %v, want %v", kubernetes, got, want)
		}
		// Off is not the same as unknown.
		if !want && len(cluster.FeatureGates) != 0 {
			t.Errorf("%s: gates %v that it does not know", kubernetes, cluster.FeatureGates)
		}
	}
}

func TestGatesRefuse(t *testing.T) {
	for name, c := range map[string]struct{ content, kubernetes, want string }{
		"no version of Kubernetes":  {"A: \"1.28\"", "", "malformed"},
		"no first version":          {"A: soon", "1.28.15", "A"},
		"something else than gates": {"- A", "1.28.15", "cluster-gates.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseGates([]byte(c.content), c.kubernetes)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestClusterRefuses(t *testing.T) {
	good := string(clusterYAML)
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown field":     {"nodes:\n", "node:\n", "node"},
		"no node":              {"- role: control-plane\n", "", "no node"},
		"a patch without kind": {"  kind: KubeletConfiguration\n", "", "patch 2"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, c.old, c.new, 1)
			if changed == good {
				t.Fatalf("%q is not in cluster.yaml", c.old)
			}
			_, err := parseCluster([]byte(changed), builtPatchesYAML, true)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}
