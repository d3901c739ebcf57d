package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// remarksOfKind bounds what the summary repeats of one kind: the files beside it have all.
const remarksOfKind = 12

// The kinds of remarks, in the order of the summary.
const (
	remarkConditions = "conditions that are not met"
	remarkWarnings   = "warnings among the events"
	remarkIstiod     = "what istiods complained of"
)

var remarkKinds = []string{remarkConditions, remarkWarnings, remarkIstiod}

// remark keeps lines for the summary's first part, what is out of the ordinary.
func (c *collector) remark(kind string, lines ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remarks == nil {
		c.remarks = map[string][]string{}
	}
	c.remarks[kind] = append(c.remarks[kind], lines...)
}

// remarked renders the remarks, the last of each kind where there are many; empty without any.
func remarked(remarks map[string][]string) string {
	var text strings.Builder
	for _, kind := range remarkKinds {
		lines := remarks[kind]
		if len(lines) == 0 {
			continue
		}
		slices.Sort(lines)
		fmt.Fprintf(&text, "\n== %s ==\n", kind)
		if more := len(lines) - remarksOfKind; more > 0 {
			fmt.Fprintf(&text, "(%d more before)\n", more)
			lines = lines[more:]
		}
		text.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return text.String()
}

// trouble are the conditions that are good when false: they name what is wrong.
var trouble = map[string]bool{"Conflicted": true, "ReplicaFailure": true, "OverlappingFilterChains": true}

// unmet gives a line per condition of an object that is not as it should be, those of a Gateway's
// listeners and of a route's parents included.
func unmet(object *unstructured.Unstructured) []string {
	// Pods have a part of their own in the summary; a budget of a single pod never allows a disruption.
	if kind := object.GetKind(); kind == "Pod" || kind == "PodDisruptionBudget" {
		return nil
	}
	what := object.GetKind() + " " + object.GetName()
	lines := unmetAmong(what, object.Object, "status", "conditions")
	for _, part := range []struct{ field, word string }{{"listeners", "listener"}, {"parents", "parent"}} {
		nested, _, _ := unstructured.NestedSlice(object.Object, "status", part.field)
		for _, entry := range nested {
			fields, ok := entry.(map[string]any)
			if !ok {
				continue
			}
			name, _, _ := unstructured.NestedString(fields, "name")
			if name == "" {
				name, _, _ = unstructured.NestedString(fields, "parentRef", "name")
			}
			lines = append(lines, unmetAmong(fmt.Sprintf("%s, %s %s", what, part.word, name), fields, "conditions")...)
		}
	}
	return lines
}

func unmetAmong(what string, fields map[string]any, path ...string) []string {
	var lines []string
	conditions, _, _ := unstructured.NestedSlice(fields, path...)
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		text := func(name string) string { value, _ := condition[name].(string); return value }
		good := string(metav1.ConditionTrue)
		if trouble[text("type")] {
			good = string(metav1.ConditionFalse)
		}
		if status := text("status"); status != "" && status != good {
			lines = append(lines, fmt.Sprintf("%s: %s=%s (%s) %s", what, text("type"), status, text("reason"), oneLine(text("message"))))
		}
	}
	return lines
}

// warnings are the events of type Warning, with their time first.
func warnings(events []corev1.Event) []string {
	var lines []string
	for line := range strings.Lines(eventsTable(slices.DeleteFunc(slices.Clone(events), func(event corev1.Event) bool {
		return event.Type != corev1.EventTypeWarning
	}))) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// complaint is a line of istiod's log at level warn, error or fatal.
var complaint = regexp.MustCompile(`^\S+\t(?:warn|error|fatal)\t`)

// complaints are the lines in which an istiod complains, each once, with the time it was last said.
func complaints(istiod, log string) []string {
	last, count := map[string]string{}, map[string]int{}
	for line := range strings.Lines(log) {
		if complaint.MatchString(line) {
			at, said, _ := strings.Cut(oneLine(line), " ")
			last[said] = at
			count[said]++
		}
	}
	var lines []string
	for said, at := range last {
		line := fmt.Sprintf("%s %s %s", at, istiod, said)
		if count[said] > 1 {
			line += fmt.Sprintf(" (×%d)", count[said])
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
