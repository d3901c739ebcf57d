package diagnose

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"mesh-conformance/suites/internal/kube"
)

func podWith(status corev1.PodStatus) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Status: status}
}

func container(state corev1.ContainerState, last *corev1.ContainerStateTerminated) []corev1.ContainerStatus {
	return []corev1.ContainerStatus{{Name: "app", State: state, LastTerminationState: corev1.ContainerState{Terminated: last}}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func TestPodsNotReady(t *testing.T) {
	isReady := []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	cases := map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"ready":     {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: isReady}, ""},
		"succeeded": {corev1.PodStatus{Phase: corev1.PodSucceeded}, ""},
		"an image that is not there": {
			corev1.PodStatus{ContainerStatuses: container(waiting("ErrImageNeverPull", `Container image "x" is not present`), nil)},
			"ns/p: container app waits: ErrImageNeverPull: Container image \"x\" is not present\n",
		},
		"an init container first": {
			corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "iptables:\nno"},
				}}},
				ContainerStatuses: container(waiting("PodInitializing", ""), nil),
			},
			"ns/p: container init ended with code 2 (Error): iptables: no\n",
		},
		"a crash loop, with its cause": {
			corev1.PodStatus{ContainerStatuses: container(waiting("CrashLoopBackOff", "back-off 10s"),
				&corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"})},
			"ns/p: container app waits: CrashLoopBackOff: back-off 10s; before that it ended with code 137 (OOMKilled)\n",
		},
		"no node": {
			corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes: Insufficient cpu",
			}}},
			"ns/p: not scheduled: Unschedulable: 0/1 nodes: Insufficient cpu\n",
		},
		"evicted": {
			corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "disk"},
			"ns/p: failed: Evicted disk\n",
		},
		"not ready yet, with its last warning": {
			corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: container(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, nil)},
			"ns/p: container app runs and is not ready; last event Unhealthy: second\n",
		},
		"a volume that does not mount": {
			corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: container(waiting("ContainerCreating", ""), nil)},
			"ns/p: container app waits: ContainerCreating; last event Unhealthy: second\n",
		},
	}
	at := func(second int) metav1.Time { return metav1.NewTime(began.Add(time.Duration(second) * time.Second)) }
	event := func(name, kind, reason, message string, second int) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: message}, Type: kind, Reason: reason, Message: message,
			LastTimestamp: at(second), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: name},
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := &kube.Client{Clientset: fake.NewClientset(podWith(c.status),
				event("p", "Warning", "Unhealthy", "second", 2), event("p", "Warning", "Unhealthy", "first", 1),
				event("p", "Normal", "Pulled", "pulled", 3), event("q", "Warning", "Failed", "other", 4),
			)}
			if got := PodsNotReady(t.Context(), client, "ns"); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestEventsAreSortedByTime(t *testing.T) {
	at := func(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }
	table := eventsTable([]corev1.Event{
		{Reason: "Third", Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(3))}},
		{Reason: "First", EventTime: metav1.NewMicroTime(at(1))},
		{Reason: "Second", LastTimestamp: metav1.NewTime(at(2)), Count: 4, Message: "a\nb"},
		{Reason: "Zeroth", ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(at(0))}},
	})
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for i, want := range []string{"Zeroth", "First", "Second ×4: a b", "Third"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d = %q, want %q", i, lines[i], want)
		}
	}
}
