package kubernetes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestStanding(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "first"}, {Name: "beside", RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "work"}},
	}}
	if got, want := strings.Join(standing(pod), " "), "init:first init:beside+ work"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnded(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "early", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}},
		ContainerStatuses:     []corev1.ContainerStatus{{Name: "work", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
	}}
	if got := ended(pod, "early"); got == nil || got.ExitCode != 3 {
		t.Errorf("early ended as %v, want exit code 3", got)
	}
	for _, name := range []string{"work", "other"} {
		if got := ended(pod, name); got != nil {
			t.Errorf("%s ended as %v", name, got)
		}
	}
}
