package kindconfig

import (
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestClusterBringsItsOwnCNIOnlyWhenBuilt(t *testing.T) {
	for source, want := range map[string]bool{"built": true, "published": false} {
		cluster, err := Cluster(source)
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
