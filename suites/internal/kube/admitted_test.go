package kube

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestAdmit(t *testing.T) {
	var dry []string
	refuse := false
	client := fakeClient(t, interceptor.Funcs{
		Create: func(_ context.Context, _ ctrl.WithWatch, object ctrl.Object, options ...ctrl.CreateOption) error {
			dry = (&ctrl.CreateOptions{}).ApplyOptions(options).DryRun
			if refuse {
				return apierrors.NewBadRequest("no")
			}
			object.SetLabels(map[string]string{"by": "webhook"})
			return nil
		},
	})
	before := shared
	t.Cleanup(func() { shared = before })
	Use(client)

	pod, err := Admit[corev1.Pod](t.Context(), "ns", "startupprobe/plain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if pod.Namespace != "ns" || pod.Name != "plain" || pod.Labels["by"] != "webhook" || len(pod.Spec.Containers) != 1 {
		t.Errorf("got %s/%s, labels %v, %d containers", pod.Namespace, pod.Name, pod.Labels, len(pod.Spec.Containers))
	}
	if len(dry) != 1 || dry[0] != "All" {
		t.Errorf("dry run is %v, want All", dry)
	}

	refuse = true
	if _, err := Admit[corev1.Pod](t.Context(), "ns", "startupprobe/plain.yaml"); !apierrors.IsBadRequest(err) {
		t.Errorf("refused: got %v", err)
	}
	if _, err := Admit[corev1.Pod](t.Context(), "ns", "startupprobe/unreachable.yaml"); err == nil || !strings.Contains(err.Error(), "2 objects") {
		t.Errorf("a fixture of two objects: got %v", err)
	}
	if _, err := Admit[corev1.Pod](t.Context(), "ns", "startupprobe/none.yaml"); err == nil {
		t.Error("no such fixture: no error")
	}
}
