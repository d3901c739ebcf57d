package kindconfig

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

func TestClusterFollowsTheNodeImage(t *testing.T) {
	for name, traits := range map[string]NodeTraits{
		"built": BuiltNode("1.28.15"), "published": PublishedNode("1.28.0"), "only a network": {OwnNetwork: true},
		"only cgroupfs": {Cgroupfs: true}, "only patches": {Patched: true},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := Cluster(traits, "1.28.15")
			if err != nil {
				t.Fatal(err)
			}
			if cluster.Networking.DisableDefaultCNI != traits.OwnNetwork {
				t.Errorf("DisableDefaultCNI is %v", cluster.Networking.DisableDefaultCNI)
			}
			for text, want := range map[string]bool{
				"allocate-node-cidrs": traits.OwnNetwork, "cgroupDriver: cgroupfs": traits.Cgroupfs, "/etc/mesh-conformance/patches": traits.Patched,
			} {
				if got := strings.Contains(strings.Join(cluster.KubeadmConfigPatches, ""), text); got != want {
					t.Errorf("%q is in the patches: %v, want %v", text, got, want)
				}
			}
		})
	}
}

func TestClusterHasTheGatesThatItsVersionKnows(t *testing.T) {
	for kubernetes, want := range map[string]bool{
		"1.25.4": false, "1.26.13": false, "v1.27.4": false, "1.28.0": true, "v1.28.15": true, "1.30.0": true,
	} {
		cluster, err := Cluster(BuiltNode(kubernetes), kubernetes)
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
			_, err := parseCluster([]byte(changed), traitPatchesYAML, BuiltNode("1.28.15"))
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

// A starved node is late, and must not be taken for a dead one by any of the cluster's own time-outs.
func TestClusterIsPatient(t *testing.T) {
	for source, traits := range map[string]NodeTraits{"built": BuiltNode(""), "published": PublishedNode("")} {
		for _, version := range []string{"1.25.4", "1.26.13", "1.27.4", "1.28.15"} {
			cluster, err := Cluster(traits, version)
			if err != nil {
				t.Fatal(err)
			}
			var found struct {
				APIServer struct {
					TimeoutForControlPlane metav1.Duration   `json:"timeoutForControlPlane"`
					ExtraArgs              map[string]string `json:"extraArgs"`
				} `json:"apiServer"`
				ControllerManager struct {
					ExtraArgs map[string]string `json:"extraArgs"`
				} `json:"controllerManager"`
				NodeLeaseDurationSeconds int             `json:"nodeLeaseDurationSeconds"`
				RuntimeRequestTimeout    metav1.Duration `json:"runtimeRequestTimeout"`
			}
			for _, patch := range cluster.KubeadmConfigPatches {
				if err := yaml.Unmarshal([]byte(patch), &found); err != nil {
					t.Fatal(err)
				}
			}
			grace, err := time.ParseDuration(found.ControllerManager.ExtraArgs["node-monitor-grace-period"])
			if err != nil {
				t.Fatal(err)
			}
			lease := time.Duration(found.NodeLeaseDurationSeconds) * time.Second
			if lease < 2*time.Minute || grace < 4*lease {
				t.Errorf("%s %s: the lease lasts %s, the controller manager waits %s for the kubelet", source, version, lease, grace)
			}
			for _, flag := range []string{"request-timeout", "etcd-healthcheck-timeout"} {
				if _, err := time.ParseDuration(found.APIServer.ExtraArgs[flag]); err != nil {
					t.Errorf("%s %s: --%s of the API server: %v", source, version, flag, err)
				}
			}
			if found.APIServer.TimeoutForControlPlane.Duration < 10*time.Minute || found.RuntimeRequestTimeout.Duration < 5*time.Minute {
				t.Errorf("%s %s: kubeadm waits %s for the API server, the kubelet %s for the container runtime", source, version,
					found.APIServer.TimeoutForControlPlane.Duration, found.RuntimeRequestTimeout.Duration)
			}
		}
	}
}
