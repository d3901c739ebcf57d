package cluster

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// patientDNS is a strategic merge patch of kubeadm's Deployment coredns. On a starved node, kubeadm's probes restart
// CoreDNS after 50 s and withdraw its endpoints after three probes that got no answer within a second. kubeadm has
// no patch for it.
const patientDNS = `{"spec": {"template": {"spec": {"containers": [{
  "name": "coredns",
  "livenessProbe": {"timeoutSeconds": 60, "failureThreshold": 60},
  "readinessProbe": {"timeoutSeconds": 60, "failureThreshold": 60}
}]}}}}`

// makeDNSPatient gives CoreDNS probes that only restart it when it hangs. Before the node is ready this replaces
// pods that have not started yet.
func makeDNSPatient(ctx context.Context, client *kube.Client) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	_, err := client.Clientset.AppsV1().Deployments(metav1.NamespaceSystem).
		Patch(ctx, "coredns", types.StrategicMergePatchType, []byte(patientDNS), metav1.PatchOptions{FieldManager: kube.FieldOwner})
	if err != nil && ctx.Err() != nil {
		return deadline.Missed("the API server did not change deployment kube-system/coredns", begun, err.Error(), context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("make the probes of CoreDNS patient: %w", err)
	}
	return nil
}
