package echo

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// restarted is the annotation that kubectl rollout restart writes.
const restarted = "kubectl.kubernetes.io/restartedAt"

// Restart replaces a workload's pod as kubectl rollout restart does and gives the workload with the new one.
// The old pod may still be on its way out.
func Restart(ctx context.Context, workload *Workload) *Workload {
	ginkgo.GinkgoHelper()
	client, namespace, name := kube.Shared(), workload.Namespace, workload.Name
	kube.Change(ctx, namespace, name, func(deployment *appsv1.Deployment) {
		annotations := &deployment.Spec.Template.Annotations
		if *annotations == nil {
			*annotations = map[string]string{}
		}
		(*annotations)[restarted] = time.Now().Format(time.RFC3339Nano)
	})
	gomega.Expect(client.WaitAvailable(ctx, namespace, name)).To(gomega.Succeed(), func() string {
		return diagnose.PodsNotReady(ctx, client, namespace)
	})
	fresh := &Workload{Namespace: namespace, Name: name, cluster: client}
	gomega.Eventually(ctx, func(ctx context.Context) (err error) {
		pods, err := client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"app": name}.String()})
		if err != nil {
			return err
		}
		fresh.Pod, err = successor(workload.Pod, pods.Items)
		return err
	}, timing.Push(), timing.Poll).Should(gomega.Succeed(), "the restart of %s/%s", namespace, name)
	return fresh
}

// successor is the one pod that stays, which must not be the old one.
func successor(old *corev1.Pod, pods []corev1.Pod) (*corev1.Pod, error) {
	var staying []*corev1.Pod
	for i := range pods {
		if pods[i].DeletionTimestamp == nil {
			staying = append(staying, &pods[i])
		}
	}
	if len(staying) != 1 {
		return nil, fmt.Errorf("%d pods stay, not one", len(staying))
	}
	if staying[0].UID == old.UID {
		return nil, fmt.Errorf("pod %s has not been replaced", old.Name)
	}
	return staying[0], nil
}
