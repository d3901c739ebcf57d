package diagnose

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/kube"
)

// PodsNotReady gives one line per pod of a namespace that is not ready, with the pod's own
// message: why its container waits or ended, why it is not scheduled or, where those say
// nothing, its last event. It is empty if every pod is ready. It is meant for the text of a
// failed wait, so trouble with the API server is a line too.
func PodsNotReady(ctx context.Context, client *kube.Client, namespace string) string {
	pods, err := client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Sprintf("the pods of %s are unknown: %v\n", namespace, err)
	}
	// Events only add to what the pods say, so their lack is no trouble of its own.
	events, _ := client.Clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	var list []corev1.Event
	if events != nil {
		list = events.Items
	}
	return describeNotReady(pods.Items, list)
}

// describeNotReady is the pure half of PodsNotReady.
func describeNotReady(pods []corev1.Pod, events []corev1.Event) string {
	var text strings.Builder
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodSucceeded || ready(&pod) {
			continue
		}
		fmt.Fprintf(&text, "%s/%s: %s\n", pod.Namespace, pod.Name, oneLine(whyNotReady(&pod, events)))
	}
	return text.String()
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// uninformative are waiting reasons that only say that something else is being waited for.
var uninformative = map[string]bool{"ContainerCreating": true, "PodInitializing": true}

func whyNotReady(pod *corev1.Pod, events []corev1.Event) string {
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for _, status := range statuses {
		if said := containerTrouble(status); said != "" {
			return said
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return fmt.Sprintf("failed: %s %s", pod.Status.Reason, pod.Status.Message)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return fmt.Sprintf("not scheduled: %s: %s", condition.Reason, condition.Message)
		}
	}
	state := string(pod.Status.Phase)
	if pod.DeletionTimestamp != nil {
		state = "being deleted"
	}
	for _, status := range statuses {
		if status.State.Waiting != nil {
			state = fmt.Sprintf("container %s waits: %s", status.Name, status.State.Waiting.Reason)
			break
		}
		if status.State.Running != nil && !status.Ready {
			state = fmt.Sprintf("container %s runs and is not ready", status.Name)
		}
	}
	if last := lastEventOf(pod, events); last != nil {
		return fmt.Sprintf("%s; last event %s: %s", state, last.Reason, last.Message)
	}
	return state
}

// containerTrouble is the message of a container that waits for a reason of its own or ended badly.
func containerTrouble(status corev1.ContainerStatus) string {
	if waiting := status.State.Waiting; waiting != nil && !uninformative[waiting.Reason] {
		said := fmt.Sprintf("container %s waits: %s: %s", status.Name, waiting.Reason, waiting.Message)
		// A back-off's own message only repeats the reason; what ended before is the cause.
		if ended := status.LastTerminationState.Terminated; ended != nil {
			said += "; before that it " + endOf(ended)
		}
		return said
	}
	if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
		return fmt.Sprintf("container %s %s", status.Name, endOf(ended))
	}
	return ""
}

func endOf(ended *corev1.ContainerStateTerminated) string {
	said := fmt.Sprintf("ended with code %d (%s)", ended.ExitCode, ended.Reason)
	if ended.Message != "" {
		said += ": " + ended.Message
	}
	return said
}

// lastEventOf prefers the last warning: what goes wrong, not what went on.
func lastEventOf(pod *corev1.Pod, events []corev1.Event) *corev1.Event {
	var last *corev1.Event
	for i := range events {
		event := &events[i]
		if event.InvolvedObject.Kind != "Pod" || event.InvolvedObject.Name != pod.Name {
			continue
		}
		newer := last == nil || eventTime(event).After(eventTime(last))
		switch {
		case last == nil, event.Type == corev1.EventTypeWarning && last.Type != corev1.EventTypeWarning:
			last = event
		case event.Type == last.Type && newer:
			last = event
		}
	}
	return last
}

// podsTable has a line per container: its state, its restarts and its message.
func podsTable(pods []corev1.Pod) string {
	var table strings.Builder
	for _, pod := range pods {
		fmt.Fprintf(&table, "%s  %s  node %s\n", pod.Name, pod.Status.Phase, pod.Spec.NodeName)
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			fmt.Fprintf(&table, "  %s: %s, ready %t, restarts %d, image %s\n",
				status.Name, stateOf(status), status.Ready, status.RestartCount, status.Image)
		}
	}
	return table.String()
}

func stateOf(status corev1.ContainerStatus) string {
	switch state := status.State; {
	case state.Running != nil:
		return "running since " + state.Running.StartedAt.UTC().Format(timeFormat)
	case state.Waiting != nil:
		return oneLine(fmt.Sprintf("waiting: %s %s", state.Waiting.Reason, state.Waiting.Message))
	case state.Terminated != nil:
		return oneLine(endOf(state.Terminated))
	default:
		return "unknown"
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
