package sound

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/hack/machine"
)

func TestWithoutKilledWhileSlow(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	measured := func(runnable float64) []machine.Sample {
		return []machine.Sample{{At: at.Add(-10 * time.Second), Seconds: 10, Runnable: runnable}}
	}
	for name, c := range map[string]struct {
		samples []machine.Sample
		code    int32
		left    int
	}{
		"ended while slow":         {measured(90), 0, 0},
		"killed while slow":        {measured(90), 137, 0},
		"crashed while slow":       {measured(90), 1, 1},
		"ended on a quiet machine": {measured(5), 0, 1},
		"nothing measured":         {nil, 0, 1},
		"measured at another time": {[]machine.Sample{{At: at.Add(time.Hour), Seconds: 10, Runnable: 90}}, 0, 1},
	} {
		pods := []corev1.Pod{{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "istio-proxy", RestartCount: 7, LastTerminationState: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: c.code, FinishedAt: metav1.NewTime(at)},
			},
		}}}}}
		kept, leftOut := WithoutKilledWhileSlow(pods, c.samples)
		if got := len(Restarts(kept)); got != c.left || len(leftOut) != 1-c.left {
			t.Errorf("%s: %d restarts are left, want %d; left out %q", name, got, c.left, leftOut)
		}
		if pods[0].Status.ContainerStatuses[0].RestartCount != 7 {
			t.Errorf("%s: the pods that were given are changed", name)
		}
	}
}
