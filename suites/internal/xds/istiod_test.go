package xds

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"mesh-conformance/suites/internal/kube"
)

func istiodPod(name, revision string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "istio-system", Labels: map[string]string{"app": "istiod", revisionLabel: revision},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

func TestIstiodOfARevision(t *testing.T) {
	client := &kube.Client{Clientset: fake.NewClientset(
		istiodPod("a", "default", corev1.ConditionTrue),
		istiodPod("b", "stock", corev1.ConditionFalse),
		istiodPod("c", "stock", corev1.ConditionTrue),
		istiodPod("d", "young", corev1.ConditionFalse),
	)}
	if name, err := istiod(t.Context(), client, "istio-system", "stock"); err != nil || name != "c" {
		t.Errorf("istiod of stock = %q, %v", name, err)
	}
	if name, err := istiod(t.Context(), client, "istio-system", ""); err != nil || name != "a" {
		t.Errorf("istiod of the default revision = %q, %v", name, err)
	}
	for revision, want := range map[string]string{"young": "(1 pods)", "none": "(0 pods)"} {
		if _, err := istiod(t.Context(), client, "istio-system", revision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("istiod of %s: %v", revision, err)
		}
	}
}
