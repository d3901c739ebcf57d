package echo

import (
	"strings"
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestPodsCanBeMade(t *testing.T) {
	refused := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "webhook is down",
	}
	cases := map[string]struct {
		name   string
		status appsv1.DeploymentStatus
		// fails is what the error says; empty for none.
		fails string
	}{
		"has a pod":                            {"server", appsv1.DeploymentStatus{Replicas: 1}, ""},
		"has a pod in spite of a complaint":    {"server", appsv1.DeploymentStatus{Replicas: 1, Conditions: []appsv1.DeploymentCondition{refused}}, ""},
		"is refused":                           {"server", appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{refused}}, "deployment ns/server did not get a pod within 1m30s; last seen: FailedCreate: webhook is down"},
		"is slow, which the rollout waits out": {"server", appsv1.DeploymentStatus{}, ""},
		"is not there":                         {"other", appsv1.DeploymentStatus{}, "read deployment ns/server"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: c.name}, Status: c.status})
				err := podsCanBeMade(t.Context(), client, "ns", "server")
				switch {
				case c.fails == "" && err != nil:
					t.Errorf("got %v", err)
				case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
					t.Errorf("got %v, want %q", err, c.fails)
				}
			})
		})
	}
}
