package sound

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"mesh-conformance/suites/internal/timing"
)

// Restarts gives a finding per container that did not run through.
func Restarts(pods []corev1.Pod) []string {
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

// replaced gives a finding per pod that was made long after its ReplicaSet: another pod had its place
// before, and what ended that one shows in no counter of restarts.
func replaced(pods []corev1.Pod, sets []appsv1.ReplicaSet) []string {
	made := map[types.UID]time.Time{}
	for _, set := range sets {
		made[set.UID] = set.CreationTimestamp.Time
	}
	var findings []string
	for _, pod := range pods {
		owner := metav1.GetControllerOf(&pod)
		if owner == nil {
			continue
		}
		began, known := made[owner.UID]
		if late := pod.CreationTimestamp.Sub(began); known && late > timing.Push() {
			findings = append(findings, fmt.Sprintf("%s/%s was made %s after %s %s, in place of a pod that is gone",
				pod.Namespace, pod.Name, late, owner.Kind, owner.Name))
		}
	}
	return findings
}

// reasonOOM is how the kubelet marks a container the kernel killed for its memory.
const reasonOOM = "OOMKilled"

// OutOfMemory gives a finding per container that was, or had been, killed for its memory.
func OutOfMemory(pods []corev1.Pod) []string {
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
