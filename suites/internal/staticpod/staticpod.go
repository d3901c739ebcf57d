// Package staticpod finds restarts of a cluster's own control plane: etcd, API server, controller manager and
// scheduler run as static pods. A restart explains failures that follow it and that are not the product's.
package staticpod

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/kube"
)

// Restart is the last restart of one component of a cluster's control plane.
type Restart struct {
	// Component is the container's name, for example kube-apiserver.
	Component string
	// Cluster is the kind cluster's name.
	Cluster string
	// At is when the container before the present one ended; whole seconds, as the kubelet has them.
	At time.Time
	// ExitCode and Reason are of that container, for example 137 and Error.
	ExitCode int32
	Reason   string
}

// String is the restart in one line: "kube-apiserver of cluster a restarted at 12:03:04 (exit code 137, Error)".
func (r Restart) String() string {
	return fmt.Sprintf("%s of cluster %s restarted at %s (exit code %d, %s)", r.Component, r.Cluster, r.At.UTC().Format(time.TimeOnly), r.ExitCode, r.Reason)
}

// Restarts returns the last restart of each component that restarted since the client connected, the oldest first.
// What restarted before belongs to kubeadm's start of the cluster.
func Restarts(ctx context.Context, client *kube.Client) ([]Restart, error) {
	pods, err := client.Clientset.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "tier=control-plane"})
	if err != nil {
		return nil, fmt.Errorf("list the static pods of cluster %s: %w", client.Name, err)
	}
	return restarts(pods.Items, client.Name, client.Connected), nil
}

// mirrored is the annotation by which the kubelet shows the API server a static pod (k8s.io/kubernetes,
// pkg/kubelet/types).
const mirrored = "kubernetes.io/config.mirror"

// Is reports whether a pod is a static one: the kubelet runs it from a file, and the pod that the API server shows
// is its mirror.
func Is(pod *corev1.Pod) bool {
	_, static := pod.Annotations[mirrored]
	return static
}

func restarts(pods []corev1.Pod, cluster string, since time.Time) []Restart {
	var found []Restart
	for _, pod := range pods {
		if !Is(&pod) {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			ended := status.LastTerminationState.Terminated
			// Until the kubelet starts it again, the ended container is the present one.
			if ended == nil || status.State.Terminated != nil {
				ended = status.State.Terminated
			}
			if ended == nil || !ended.FinishedAt.After(since) {
				continue
			}
			found = append(found, Restart{Component: status.Name, Cluster: cluster, At: ended.FinishedAt.Time, ExitCode: ended.ExitCode, Reason: ended.Reason})
		}
	}
	slices.SortStableFunc(found, func(a, b Restart) int { return a.At.Compare(b.At) })
	return found
}
