package diagnose

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/timing"
)

const timeFormat = "15:04:05.000"

func (c *collector) events(ctx context.Context, namespace string) error {
	list, err := c.client.Clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	c.remark(remarkWarnings, warnings(list.Items)...)
	return c.write(namespace+"/events.txt", []byte(eventsTable(list.Items)))
}

// podEvents is for the summary, which is worth writing without them.
func (c *collector) podEvents(ctx context.Context, namespace string) []corev1.Event {
	ctx, cancel := context.WithTimeout(ctx, timing.Request())
	defer cancel()
	list, err := c.client.Clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Pod"})
	if err != nil {
		return nil
	}
	return list.Items
}

// eventsTable has a line per event, oldest first.
func eventsTable(events []corev1.Event) string {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b corev1.Event) int { return eventTime(&a).Compare(eventTime(&b)) })
	var table strings.Builder
	for _, event := range sorted {
		fmt.Fprintf(&table, "%s %-7s %s/%s %s", eventTime(&event).UTC().Format(timeFormat), event.Type,
			event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason)
		if event.Count > 1 {
			fmt.Fprintf(&table, " ×%d", event.Count)
		}
		fmt.Fprintf(&table, ": %s\n", oneLine(event.Message))
	}
	return table.String()
}

// eventTime is when an event was last seen: which field says so depends on who wrote it.
func eventTime(event *corev1.Event) time.Time {
	switch {
	case event.Series != nil && !event.Series.LastObservedTime.IsZero():
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	default:
		return event.CreationTimestamp.Time
	}
}
