package openshift

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/evidence"
)

// owners are the users and the groups by which rules of iptables tell packets, each once, in order.
type owners struct{ Users, Groups []string }

// parseOwners reads them from what iptables-save writes.
func parseOwners(rules string) owners {
	var found owners
	seen := map[string]bool{}
	for line := range strings.Lines(rules) {
		fields := strings.Fields(line)
		for i, field := range fields[:max(0, len(fields)-1)] {
			key := field + fields[i+1]
			if seen[key] {
				continue
			}
			switch field {
			case "--uid-owner":
				found.Users, seen[key] = append(found.Users, fields[i+1]), true
			case "--gid-owner":
				found.Groups, seen[key] = append(found.Groups, fields[i+1]), true
			}
		}
	}
	return found
}

// ownersOf reads the rules of a pod's network on the node: in the pod nobody may.
func ownersOf(ctx context.Context, pod *corev1.Pod) owners {
	GinkgoHelper()
	script := fmt.Sprintf(`for net in /var/run/netns/*; do nsenter --net=$net ip -4 -o addr | grep -q ' %s/' && nsenter --net=$net iptables-save -t nat; done; true`,
		pod.Status.PodIP)
	rules, err := cluster.OnNode(ctx, ownCluster, "sh", "-c", script)
	Expect(err).NotTo(HaveOccurred())
	Expect(rules).To(ContainSubstring("ISTIO_OUTPUT"), "rules in the network of pod %s", pod.Name)
	found := parseOwners(rules)
	evidence.Config("owners in the rules of iptables of pod "+pod.Name, "users %q, groups %q", found.Users, found.Groups)
	return found
}
