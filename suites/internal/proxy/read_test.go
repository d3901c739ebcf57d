package proxy

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestFactsOf(t *testing.T) {
	facts, err := factsOf(t.Context(), one.proxy())
	if err != nil {
		t.Fatal(err)
	}
	if facts.Version != "1.40.0" || !slices.Contains(facts.Extensions, "envoy.filters.http.lua") || !slices.IsSorted(facts.Extensions) {
		t.Errorf("got %+v", facts)
	}
	if len(slices.Compact(slices.Clone(facts.Extensions))) != len(facts.Extensions) {
		t.Errorf("an extension is listed twice: %q", facts.Extensions)
	}
	if _, err := factsOf(t.Context(), recorded{}.proxy()); err == nil {
		t.Error("no error for an Envoy that does not answer")
	}
}

func TestReaderPod(t *testing.T) {
	made := pod("ns", []string{"hub/proxyv2:1", "hub/proxyv2:2"})
	for i, container := range made.Spec.Containers {
		port := []string{"port_value: 15000}", "port_value: 15001}"}[i]
		if !strings.Contains(container.Args[1], port) || container.ImagePullPolicy != corev1.PullNever {
			t.Errorf("container %d: %+v", i, container)
		}
	}
	if made.Namespace != "ns" || len(made.Spec.Containers) != 2 {
		t.Errorf("got %+v", made)
	}
}

func TestEnded(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Image: "hub/proxyv2:1"}}}}
	if err := ended(pod); err != nil {
		t.Errorf("a container that has not started: %v", err)
	}
	pod.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "unknown argument"}
	if err := ended(pod); err == nil || !strings.Contains(err.Error(), "hub/proxyv2:1 ended with exit code 1: Error unknown argument") {
		t.Errorf("got %v", err)
	}
}
