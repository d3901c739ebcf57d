package startupprobe

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestHappened(t *testing.T) {
	event := func(reason, message string, count int32) corev1.Event {
		return corev1.Event{Reason: reason, Message: message, Count: count}
	}
	events := happened{
		event("Unhealthy", "Startup probe failed: connection refused", 3),
		event("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", 0),
		event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 2),
		event("Killing", "Container istio-proxy failed startup probe, will be restarted", 1),
		event("Killing", "Container echo failed startup probe, will be restarted", 1),
		event("Killing", "Stopping container istio-proxy", 1),
		event("Started", "Startup probe failed", 7),
	}
	if got := events.failures("startup"); got != 4 {
		t.Errorf("%d startup probes failed, want 4", got)
	}
	if got := events.failures("readiness"); got != 2 {
		t.Errorf("%d readiness probes failed, want 2", got)
	}
	if got := events.restarts(); got != 1 {
		t.Errorf("%d restarts, want 1", got)
	}
	if quiet := (happened{}); quiet.failures("startup") != 0 || quiet.restarts() != 0 {
		t.Error("something happened without an event")
	}
}

func TestAge(t *testing.T) {
	running := corev1.ContainerStatus{State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(-time.Hour))},
	}}
	if got := age(running); got < time.Hour || got > 2*time.Hour {
		t.Errorf("running since an hour: %s", got)
	}
	if got := age(corev1.ContainerStatus{}); got != 0 {
		t.Errorf("not running: %s", got)
	}
}
