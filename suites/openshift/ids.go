package openshift

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
)

// ids are a user and a group.
type ids struct{ User, Group int64 }

// String is the pair in words.
func (i ids) String() string { return fmt.Sprintf("user %d, group %d", i.User, i.Group) }

// contextOf gives the security context of one of a pod's containers.
func contextOf(pod *corev1.Pod, container string) (*corev1.SecurityContext, error) {
	all := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
	at := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == container })
	if at < 0 {
		return nil, fmt.Errorf("pod %s has no container %s", pod.Name, container)
	}
	if all[at].SecurityContext == nil {
		return nil, fmt.Errorf("container %s has no security context: neither who wrote the pod nor an admission gave it one", container)
	}
	return all[at].SecurityContext, nil
}

// asked gives the ids that a container of a pod is to have by its own security context.
func asked(pod *corev1.Pod, container string) (ids, error) {
	context, err := contextOf(pod, container)
	if err != nil {
		return ids{}, err
	}
	if context.RunAsUser == nil || context.RunAsGroup == nil {
		return ids{}, fmt.Errorf("container %s names no user or no group", container)
	}
	return ids{*context.RunAsUser, *context.RunAsGroup}, nil
}

// askedUser is the user of asked alone: the constraint assigns no group.
func askedUser(pod *corev1.Pod, container string) (int64, error) {
	context, err := contextOf(pod, container)
	if err != nil {
		return 0, err
	}
	if context.RunAsUser == nil {
		return 0, fmt.Errorf("container %s names no user", container)
	}
	return *context.RunAsUser, nil
}

// fsGroup is the group that a pod's volumes are to belong to, "none" where it names none.
func fsGroup(pod corev1.PodSpec) string {
	if pod.SecurityContext == nil || pod.SecurityContext.FSGroup == nil {
		return "none"
	}
	return fmt.Sprint(*pod.SecurityContext.FSGroup)
}

// excluded is the user that a container which sets up, or checks, iptables is told to let pass.
func excluded(pod *corev1.Pod, container string) (int64, error) {
	for _, c := range pod.Spec.InitContainers {
		if c.Name != container {
			continue
		}
		if at := slices.Index(c.Args, "-u"); at >= 0 && at+1 < len(c.Args) {
			return strconv.ParseInt(c.Args[at+1], 10, 64)
		}
		return 0, fmt.Errorf("container %s is not told a user: %q", container, c.Args)
	}
	return 0, fmt.Errorf("pod %s has no container %s", pod.Name, container)
}

// runningAs finds the ids of a program among the status files of /proc, one after the other: the effective
// ones, where the program's real ones are the same.
func runningAs(statuses, program string) (ids, error) {
	var name string
	var found ids
	for line := range strings.Lines(statuses) {
		key, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		switch {
		case key == "Name":
			name = strings.TrimSpace(rest)
		case name != program:
		case key == "Uid" || key == "Gid":
			if len(fields) != 4 || fields[0] != fields[1] {
				return ids{}, fmt.Errorf("%s of %s is %q", key, program, fields)
			}
			id, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return ids{}, err
			}
			if key == "Uid" {
				found.User = id
				continue
			}
			found.Group = id
			return found, nil
		}
	}
	return ids{}, fmt.Errorf("no process %s", program)
}

// readStatuses has the status of every process that a container sees.
var readStatuses = []string{"sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null; true"}

// idsOf asks the kernel what ids a program in a container runs with.
func idsOf(ctx context.Context, namespace, pod, container, program string) ids {
	GinkgoHelper()
	evidence.Replay("kubectl exec -n %s %s -c %s -- sh -c 'grep -hE \"^(Name|Uid|Gid):\" /proc/[0-9]*/status'", namespace, pod, container)
	statuses, _, err := kube.Shared().Exec(ctx, namespace, pod, container, readStatuses...)
	Expect(err).NotTo(HaveOccurred())
	found, err := runningAs(statuses, program)
	Expect(err).NotTo(HaveOccurred())
	evidence.Config("the process "+program+" of "+pod, "%s", found)
	return found
}
