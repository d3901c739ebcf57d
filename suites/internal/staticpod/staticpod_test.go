package staticpod

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRestarts(t *testing.T) {
	up := time.Date(2024, 1, 2, 12, 0, 0, 0, time.UTC)
	ended := func(after time.Duration, code int32, reason string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(up.Add(after)), ExitCode: code, Reason: reason}}
	}
	pod := func(component string, static bool, last, now corev1.ContainerState) corev1.Pod {
		made := corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: component, LastTerminationState: last, State: now}}}}
		if static {
			made.Annotations = map[string]string{mirrored: "hash"}
		}
		return made
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	var none corev1.ContainerState
	found := restarts([]corev1.Pod{
		pod("kube-apiserver", true, ended(3*time.Minute+4*time.Second, 137, "Error"), running),
		pod("etcd", true, ended(time.Minute, 2, "Error"), running),
		pod("kube-scheduler", true, ended(-time.Minute, 1, "Error"), running),
		pod("kube-controller-manager", true, ended(-time.Minute, 1, "Error"), ended(4*time.Minute, 255, "Error")),
		pod("quiet", true, none, running),
		pod("coredns", false, ended(time.Minute, 137, "Error"), running),
	}, "mesh-conformance-1.28", up)
	var got []string
	for _, restart := range found {
		got = append(got, restart.String())
	}
	want := []string{
		"etcd of cluster mesh-conformance-1.28 restarted at 12:01:00 (exit code 2, Error)",
		"kube-apiserver of cluster mesh-conformance-1.28 restarted at 12:03:04 (exit code 137, Error)",
		"kube-controller-manager of cluster mesh-conformance-1.28 restarted at 12:04:00 (exit code 255, Error)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if found := restarts(nil, "a", up); len(found) != 0 {
		t.Errorf("no pods have restarted, got %v", found)
	}
}
