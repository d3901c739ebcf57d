package proxy

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/kube"
)

// container is how Istio names the proxy, in sidecars and in gateways alike.
const container = "istio-proxy"

// In lists the running proxies of a namespace, of all namespaces if it is empty.
func In(ctx context.Context, client *kube.Client, namespace string) ([]Proxy, error) {
	pods, err := client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the pods with a proxy: %w", err)
	}
	var proxies []Proxy
	for _, pod := range pods.Items {
		if Runs(&pod) {
			proxies = append(proxies, Of(client, pod.Namespace, pod.Name))
		}
	}
	return proxies, nil
}

// Runs says whether a pod has a proxy that runs now; a native sidecar, which Kubernetes keeps
// among the init containers, counts.
func Runs(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for _, status := range statuses {
			if status.Name == container && status.State.Running != nil {
				return true
			}
		}
	}
	return false
}
