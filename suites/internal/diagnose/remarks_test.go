package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUnmet(t *testing.T) {
	condition := func(kind, status string) any {
		return map[string]any{"type": kind, "status": status, "reason": "Because", "message": "of\nthat"}
	}
	gateway := object("Gateway", "web", map[string]any{"status": map[string]any{
		"conditions": []any{condition("Accepted", "True"), condition("Programmed", "False")},
		"listeners": []any{map[string]any{"name": "https", "conditions": []any{
			condition("Conflicted", "False"), condition("ResolvedRefs", "Unknown"),
		}}},
	}})
	want := []string{
		"Gateway web: Programmed=False (Because) of that",
		"Gateway web, listener https: ResolvedRefs=Unknown (Because) of that",
	}
	if got := unmet(gateway); !slices.Equal(got, want) {
		t.Errorf("unmet = %q", got)
	}
	route := object("HTTPRoute", "web", map[string]any{"status": map[string]any{"parents": []any{
		map[string]any{"parentRef": map[string]any{"name": "gw"}, "conditions": []any{condition("Accepted", "False")}},
	}}})
	if got := unmet(route); len(got) != 1 || !strings.HasPrefix(got[0], "HTTPRoute web, parent gw: Accepted=False") {
		t.Errorf("unmet = %q", got)
	}
	deployment := object("Deployment", "web", map[string]any{"status": map[string]any{
		"conditions": []any{condition("Available", "True"), condition("ReplicaFailure", "True")},
	}})
	if got := unmet(deployment); len(got) != 1 || !strings.Contains(got[0], "ReplicaFailure=True") {
		t.Errorf("unmet = %q", got)
	}
	for _, fine := range []map[string]any{
		{}, {"status": "odd"}, {"status": map[string]any{"conditions": []any{"odd", condition("Ready", "True")}, "listeners": []any{"odd"}}},
	} {
		if got := unmet(object("ConfigMap", "fine", fine)); len(got) != 0 {
			t.Errorf("unmet of %v = %q", fine, got)
		}
	}
	if got := unmet(object("Pod", "p", map[string]any{"status": map[string]any{"conditions": []any{condition("Ready", "False")}}})); len(got) != 0 {
		t.Errorf("a pod's conditions stand elsewhere, got %q", got)
	}
}

func TestWarnings(t *testing.T) {
	events := []corev1.Event{
		{Type: "Normal", Reason: "Pulled", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "a"}},
		{Type: "Warning", Reason: "Failed", Message: "no", LastTimestamp: metav1.NewTime(began), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "a"}},
	}
	if got := warnings(events); !slices.Equal(got, []string{"03:04:05.000 Warning Pod/a Failed: no"}) {
		t.Errorf("warnings = %q", got)
	}
	if got := warnings(events[:1]); len(got) != 0 {
		t.Errorf("warnings = %q", got)
	}
}

func TestComplaints(t *testing.T) {
	log := "2026-01-02T03:04:05Z\tinfo\tads\tfine\n2026-01-02T03:04:06Z\twarn\tads\tACK ERROR a\nwarn\tof nobody\n" +
		"2026-01-02T03:04:07Z\terror\tads\tonce\n2026-01-02T03:04:08Z\twarn\tads\tACK ERROR a\n"
	want := []string{"2026-01-02T03:04:07Z istiod-1 error ads once", "2026-01-02T03:04:08Z istiod-1 warn ads ACK ERROR a (×2)"}
	if got := complaints("istiod-1", log); !slices.Equal(got, want) {
		t.Errorf("complaints = %q", got)
	}
	if got := complaints("istiod-1", ""); len(got) != 0 {
		t.Errorf("complaints = %q", got)
	}
}

func TestRemarked(t *testing.T) {
	if got := remarked(nil); got != "" {
		t.Errorf("remarked nothing: %q", got)
	}
	var many []string
	for i := range remarksOfKind + 2 {
		many = append(many, fmt.Sprintf("line %02d", i))
	}
	got := remarked(map[string][]string{remarkIstiod: many, remarkConditions: {"Gateway web: no"}})
	if !strings.Contains(got, "(2 more before)\nline 02\n") || strings.Contains(got, "line 01") {
		t.Errorf("remarked = %s", got)
	}
	if strings.Index(got, remarkConditions) > strings.Index(got, remarkIstiod) {
		t.Errorf("the order is another: %s", got)
	}
}
