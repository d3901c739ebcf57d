package cluster

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func TestPatientDNSKeepsWhatProbesAsk(t *testing.T) {
	var before appsv1.Deployment
	before.Spec.Template.Spec.Containers = []corev1.Container{{
		Name: "coredns", Image: "coredns",
		LivenessProbe: &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health"}},
			InitialDelaySeconds: 60, TimeoutSeconds: 5, FailureThreshold: 5,
		},
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready"}}},
	}}
	written, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(written, []byte(patientDNS), appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	var after appsv1.Deployment
	if err := json.Unmarshal(merged, &after); err != nil {
		t.Fatal(err)
	}
	containers := after.Spec.Template.Spec.Containers
	if len(containers) != 1 || containers[0].Image != "coredns" {
		t.Fatalf("containers are %+v", containers)
	}
	liveness, readiness := containers[0].LivenessProbe, containers[0].ReadinessProbe
	if liveness.HTTPGet.Path != "/health" || liveness.InitialDelaySeconds != 60 || liveness.TimeoutSeconds != 60 {
		t.Errorf("livenessProbe is %+v", liveness)
	}
	if readiness.HTTPGet.Path != "/ready" || readiness.TimeoutSeconds != 60 || readiness.FailureThreshold != 60 {
		t.Errorf("readinessProbe is %+v", readiness)
	}
}
