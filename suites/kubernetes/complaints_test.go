package kubernetes

import "testing"

func TestComplaints(t *testing.T) {
	const clock = "WARNING: Istio 1.20.0 may be out of support (EOL) already: see https://istio.io/latest/docs/releases/supported-releases/ for supported releases\n"
	for name, c := range map[string]struct {
		said string
		want int
	}{
		"nothing":          {"", 0},
		"its own age":      {clock, 0},
		"content":          {clock + "\n- Processing resources for Istiod.\n✔ Istiod installed\n✔ Installation complete", 0},
		"an old server":    {"\nThe Kubernetes version v1.24.17 is not supported by Istio 1.20.0. The minimum supported Kubernetes version is 1.25.\n" + clock, 1},
		"a finding":        {"Error [IST0142] (Cluster) The Kubernetes Version \"v1.24.17\" is lower than the minimum version: 1.25\n", 1},
		"another warning":  {clock + "Warning: policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+\n", 1},
		"two on two lines": {"WARNING: a\nerror: b\n", 2},
	} {
		if got := complaints(c.said); len(got) != c.want {
			t.Errorf("%s: got %q, want %d lines", name, got, c.want)
		}
	}
}

func TestCountedErrors(t *testing.T) {
	const other = "# HELP controller_sync_errors_total Total number of errorMetric syncing controllers.\npilot_xds_pushes{type=\"cds\"} 7\n"
	for metrics, want := range map[string]int{
		"":    0,
		other: 0,
		other + "controller_sync_errors_total{cluster=\"Kubernetes\"} 3\n": 1,
	} {
		if got := countedErrors(metrics); len(got) != want {
			t.Errorf("%q: got %q, want %d lines", metrics, got, want)
		}
	}
}

func TestFailedWatches(t *testing.T) {
	for log, want := range map[string]int{
		"2026-11-23T23:23:26.248679Z\tinfo\tkube\tkube controller for Kubernetes synced after 32.359619ms\n":             0,
		"2026-11-23T23:23:26Z\terror\twatch error in cluster Kubernetes: failed to list *v1.Pod: pods is forbidden\n":    1,
		"x\nW1123 reflector.go:535] failed to watch *v1beta1.EndpointSlice: the server could not find the resource\ny\n": 1,
		"E1123 reflector.go:147] k8s.io/client-go: Failed to watch *v1.Pod: failed to list *v1.Pod\n":                    1,
	} {
		if got := failedWatches(log); len(got) != want {
			t.Errorf("%q: got %q, want %d lines", log, got, want)
		}
	}
}
