package sound

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/hack/machine"
)

// byKubelet are the exit codes of a container that the kubelet ends: that of a program which ends in order when it is
// told to, and those of SIGKILL and SIGTERM.
var byKubelet = []int32{0, 137, 143}

const (
	// before is the stretch before the end of a container in which its probes failed.
	before = time.Minute
	// slow is how many times slower than a quiet machine one is on which probes fail that cannot be stretched: those of
	// a managed gateway give it 30 s to start (Istio 1.20,
	// manifests/charts/istio-control/istio-discovery/files/kube-gateway.yaml).
	slow = 1.5
)

// WithoutKilledWhileSlow returns the pods as if the kubelet had not restarted those containers whose last restart
// came while the machine was slow, and says what it left out. A container that crashed, with an exit code of its
// own, is not left out.
func WithoutKilledWhileSlow(pods []corev1.Pod, samples []machine.Sample) (kept []corev1.Pod, leftOut []string) {
	for _, pod := range pods {
		pod := *pod.DeepCopy()
		for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for i := range statuses {
				last := statuses[i].LastTerminationState.Terminated
				if statuses[i].RestartCount == 0 || last == nil || !slices.Contains(byKubelet, last.ExitCode) {
					continue
				}
				at := last.FinishedAt.Time
				if lag := machine.Between(samples, at.Add(-before), at); lag.Seconds > 0 && lag.Slowness() > slow {
					leftOut = append(leftOut, fmt.Sprintf("%s/%s %s, on a machine %.1f times slower than a quiet one",
						pod.Namespace, pod.Name, statuses[i].Name, lag.Slowness()))
					statuses[i].RestartCount = 0
				}
			}
		}
		kept = append(kept, pod)
	}
	return kept, leftOut
}
