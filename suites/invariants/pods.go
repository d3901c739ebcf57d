package invariants

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// restarts gives a finding per container that did not run through.
func restarts(pods []corev1.Pod) []string {
	var findings []string
	for _, pod := range pods {
		for _, status := range containers(&pod) {
			if status.RestartCount == 0 {
				continue
			}
			finding := fmt.Sprintf("%s/%s %s restarted %d times", pod.Namespace, pod.Name, status.Name, status.RestartCount)
			if last := status.LastTerminationState.Terminated; last != nil {
				finding += fmt.Sprintf(", last with code %d (%s) at %s", last.ExitCode, last.Reason, last.FinishedAt.UTC().Format("15:04:05"))
				if last.Message != "" {
					finding += ": " + strings.Join(strings.Fields(last.Message), " ")
				}
			}
			findings = append(findings, finding)
		}
	}
	return findings
}

// reasonOOM is how the kubelet marks a container the kernel killed for its memory.
const reasonOOM = "OOMKilled"

// outOfMemory gives a finding per container that was, or had been, killed for its memory.
func outOfMemory(pods []corev1.Pod) []string {
	var findings []string
	for _, pod := range pods {
		for _, status := range containers(&pod) {
			for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
				if ended != nil && ended.Reason == reasonOOM {
					findings = append(findings, fmt.Sprintf("%s/%s %s was killed for its memory at %s",
						pod.Namespace, pod.Name, status.Name, ended.FinishedAt.UTC().Format("15:04:05")))
				}
			}
		}
	}
	return findings
}

func containers(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// crash recognises a Go program's end in its log: the runtime's own words, client-go's note of
// a panic it recovered from, and Istio's log level fatal.
var crash = regexp.MustCompile(`\bpanic: |\bObserved a panic\b|\bruntime error: |\bfatal error: |\tfatal\t`)

// crashes gives the lines of a log in which a program died, or nearly.
func crashes(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if crash.MatchString(line) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
