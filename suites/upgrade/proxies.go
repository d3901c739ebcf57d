package upgrade

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/session"
)

// fleet is the release of each proxy of a namespace by the workload that the proxy is of.
type fleet map[string]string

// String is the fleet in a line.
func (f fleet) String() string {
	var all []string
	for _, workload := range slices.Sorted(maps.Keys(f)) {
		all = append(all, workload+" "+f[workload])
	}
	return strings.Join(all, ", ")
}

// GomegaString has matchers show the fleet as String does, in an order that two can be compared in.
func (f fleet) GomegaString() string { return f.String() }

// proxies asks every proxy of a namespace for its release. Pods on their way out are left aside.
func proxies(namespace string) func(context.Context) (fleet, error) {
	return func(ctx context.Context) (fleet, error) {
		client := kube.Shared()
		var pods corev1.PodList
		if err := client.Client.List(ctx, &pods, ctrl.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("find the proxies of %s: %w", namespace, err)
		}
		found := fleet{}
		for i := range pods.Items {
			pod := &pods.Items[i]
			workload := workloadOf(pod)
			if pod.DeletionTimestamp != nil {
				continue
			}
			if found[workload] != "" {
				return nil, fmt.Errorf("workload %s of %s has two pods", workload, namespace)
			}
			version, err := releaseOf(ctx, proxy.Of(client, namespace, pod.Name))
			if err != nil {
				return nil, err
			}
			found[workload] = version
		}
		return found, nil
	}
}

// workloadOf names a pod's workload, or the Gateway that it serves.
func workloadOf(pod *corev1.Pod) string {
	// The releases of an upgrade may have different names for the label.
	return cmp.Or(pod.Labels[gateway.NameLabel()], pod.Labels[session.GatewayNameLabel], pod.Labels["app"])
}

// releaseOf is the release of Istio that a proxy's own agent belongs to.
func releaseOf(ctx context.Context, of proxy.Proxy) (string, error) {
	info, err := of.ServerInfo(ctx)
	if err != nil {
		return "", err
	}
	version := info.GetNode().GetMetadata().GetFields()["ISTIO_VERSION"].GetStringValue()
	if version == "" {
		return "", fmt.Errorf("%s does not say of what release it is", of)
	}
	return version, nil
}
