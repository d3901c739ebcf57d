package xds

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// plaintextPort is where istiod serves xDS without TLS and without authentication.
const plaintextPort = 15010

// revisionLabel is on every istiod pod.
const revisionLabel = "istio.io/rev"

// defaultRevision is what the label holds for the revision whose name is empty.
const defaultRevision = "default"

// SnapshotOf asks a ready istiod of a revision, in its namespace, what it would give a node.
// The empty revision is the default one.
func SnapshotOf(ctx context.Context, client *kube.Client, istiodNamespace, revision string, node Node) (*Snapshot, error) {
	conn, err := connect(ctx, client, istiodNamespace, revision)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, timing.Push())
	defer cancel()
	snapshot, err := Ask(bounded, conn, node)
	if err != nil && bounded.Err() != nil {
		what := fmt.Sprintf("istiod of revision %q did not serve node %s", revision, node.ID())
		return nil, deadline.Missed(what, begun, err.Error(), context.Cause(bounded))
	}
	return snapshot, err
}

// connect dials the plaintext port of a ready istiod of a revision through the API server.
func connect(ctx context.Context, client *kube.Client, namespace, revision string) (*grpc.ClientConn, error) {
	pod, err := istiod(ctx, client, namespace, revision)
	if err != nil {
		return nil, err
	}
	return client.GRPC(namespace, pod, plaintextPort)
}

// istiod names a ready istiod pod of a revision.
func istiod(ctx context.Context, client *kube.Client, namespace, revision string) (string, error) {
	if revision == "" {
		revision = defaultRevision
	}
	pods, err := client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app=istiod," + revisionLabel + "=" + revision,
	})
	if err != nil {
		return "", fmt.Errorf("list the istiods of revision %s: %w", revision, err)
	}
	for _, pod := range pods.Items {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				return pod.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no istiod of revision %s in %s is ready (%d pods)", revision, namespace, len(pods.Items))
}
