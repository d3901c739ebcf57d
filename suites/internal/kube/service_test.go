package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestServiceAddress(t *testing.T) {
	service := func(name string, spec corev1.ServiceSpec) *corev1.Service {
		return &corev1.Service{ObjectMeta: objectMeta(name), Spec: spec}
	}
	client := &Client{Clientset: fake.NewClientset(
		service("ordinary", corev1.ServiceSpec{ClusterIP: "10.96.1.2"}),
		service("headless", corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}),
		service("external", corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.com"}),
	)}
	for name, want := range map[string]string{"ordinary": "10.96.1.2", "headless": "", "external": "", "nobody": ""} {
		if got, err := client.ServiceAddress(t.Context(), "ns", name); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
