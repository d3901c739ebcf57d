package gateway

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNameLabelIsReadFromAService(t *testing.T) {
	service := func(owner string, selector map[string]string) corev1.Service {
		made := corev1.Service{Spec: corev1.ServiceSpec{Selector: selector}}
		if owner != "" {
			made.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "web"}}
		}
		return made
	}
	for name, c := range map[string]struct {
		services []corev1.Service
		want     string
	}{
		"none": {},
		"of Istio 1.20": {
			[]corev1.Service{service("", map[string]string{"app": "web"}), service("Gateway", map[string]string{"istio.io/gateway-name": "web"})},
			"istio.io/gateway-name",
		},
		"of Istio 1.22": {
			[]corev1.Service{service("Gateway", map[string]string{"x": "y", "gateway.networking.k8s.io/gateway-name": "web"})},
			"gateway.networking.k8s.io/gateway-name",
		},
		"of another owner": {[]corev1.Service{service("Deployment", map[string]string{"app": "web"})}, ""},
		"by another name":  {[]corev1.Service{service("Gateway", map[string]string{"app": "other"})}, ""},
	} {
		if got := nameLabel(c.services); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
