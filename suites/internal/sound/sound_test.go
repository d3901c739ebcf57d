package sound

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func podOf(name string, status corev1.ContainerStatus, initial bool) corev1.Pod {
	status.Name = "main"
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	if initial {
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{status}
	} else {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	}
	return pod
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, FinishedAt: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
	}}
}

func TestRestarts(t *testing.T) {
	pods := []corev1.Pod{
		podOf("steady", corev1.ContainerStatus{}, false),
		// An init container that is done is no restart.
		podOf("done", corev1.ContainerStatus{State: ended(0, "Completed", "")}, true),
		podOf("crashed", corev1.ContainerStatus{RestartCount: 2, LastTerminationState: ended(137, "OOMKilled", "out\nof memory")}, false),
		podOf("native", corev1.ContainerStatus{RestartCount: 1}, true),
	}
	want := []string{
		"ns/crashed main restarted 2 times, last with code 137 (OOMKilled) at 03:04:05: out of memory",
		"ns/native main restarted 1 times",
	}
	if got := Restarts(pods); !slices.Equal(got, want) {
		t.Errorf("restarts = %q", got)
	}
	if got := Restarts(pods[:2]); len(got) != 0 {
		t.Errorf("restarts of steady pods = %q", got)
	}
}

func TestReplaced(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	set := appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "istiod-a", UID: "a", CreationTimestamp: metav1.NewTime(began)}}
	controls := true
	pod := func(name string, after time.Duration, owner types.UID) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, CreationTimestamp: metav1.NewTime(began.Add(after)),
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "istiod-a", UID: owner, Controller: &controls}},
		}}
	}
	pods := []corev1.Pod{
		pod("first", time.Second, "a"), pod("second", 5*time.Minute, "a"), pod("of-another", 5*time.Minute, "b"),
		{ObjectMeta: metav1.ObjectMeta{Name: "of-nobody"}},
	}
	want := []string{"ns/second was made 5m0s after ReplicaSet istiod-a, in place of a pod that is gone"}
	if got := replaced(pods, []appsv1.ReplicaSet{set}); !slices.Equal(got, want) {
		t.Errorf("replaced = %q", got)
	}
	if got := replaced(pods[:1], []appsv1.ReplicaSet{set}); len(got) != 0 {
		t.Errorf("replaced = %q", got)
	}
}

func TestTold(t *testing.T) {
	if got := told([]string{"a"}); got != "a" {
		t.Errorf("told %q", got)
	}
	if got := told([]string{"a", "b", "c"}); got != "a (and 2 more)\nb\nc" {
		t.Errorf("told %q", got)
	}
}

func TestOutOfMemory(t *testing.T) {
	pods := []corev1.Pod{
		podOf("errored", corev1.ContainerStatus{RestartCount: 1, LastTerminationState: ended(1, "Error", "")}, false),
		podOf("before", corev1.ContainerStatus{LastTerminationState: ended(137, "OOMKilled", "")}, false),
		podOf("now", corev1.ContainerStatus{State: ended(137, "OOMKilled", "")}, true),
	}
	if got := OutOfMemory(pods); len(got) != 2 || !strings.HasPrefix(got[0], "ns/before") || !strings.HasPrefix(got[1], "ns/now") {
		t.Errorf("findings = %q", got)
	}
	if got := OutOfMemory(pods[:1]); len(got) != 0 {
		t.Errorf("findings = %q", got)
	}
}

func TestCrashes(t *testing.T) {
	for line, want := range map[string]bool{
		"panic: runtime error: invalid memory address or nil pointer dereference": true,
		"\tpanic: again [recovered]":                                                   true,
		"2026-01-02T03:04:05Z\tfatal\tbootstrap\tcannot listen":                        true,
		"fatal error: concurrent map writes":                                           true,
		"E0102 runtime.go:79] Observed a panic: \"index out of range\"":                true,
		"2026-01-02T03:04:05Z\tinfo\tads\tPush for panic-room.ns":                      false,
		"2026-01-02T03:04:05Z\twarn\tads\tADS:LDS: ACK ERROR a.ns-1 Internal:no stats": false,
		"2026-01-02T03:04:05Z\terror\tnon-fatal trouble":                               false,
	} {
		if got := len(crashes("before\n"+line+"\nafter\n")) == 1; got != want {
			t.Errorf("crash in %q = %v", line, got)
		}
	}
}

const metricsHead = `# TYPE istio_build gauge
istio_build{component="pilot",tag="1.20.0"} 1
# TYPE pilot_xds gauge
pilot_xds{version="1.20.0"} 3
pilot_xds{version="1.19.0"} 1
`

const metricsTrouble = metricsHead + `# TYPE pilot_total_xds_rejects counter
pilot_total_xds_rejects{type="lds"} 3
pilot_total_xds_rejects{type="ecds"} 1
# TYPE pilot_xds_lds_reject gauge
pilot_xds_lds_reject{err="Internal",node="a.ns"} 1
pilot_xds_lds_reject{err="Internal",node="b.ns"} 1
pilot_xds_lds_reject{err="Internal",node="healed.ns"} 0
`

func TestParseMetrics(t *testing.T) {
	read, err := parseMetrics([]byte(metricsTrouble))
	if err != nil {
		t.Fatal(err)
	}
	if read.connected != 4 || read.rejects["lds"] != 3 || read.rejects["ecds"] != 1 || !slices.Equal(read.nodes["lds"], []string{"a.ns", "b.ns"}) {
		t.Errorf("read %+v", read)
	}
	for name, page := range map[string]string{
		"an empty page":       "",
		"another page":        "go_goroutines 4\n",
		"no metrics at all":   "<html>",
		"a page that is torn": "istio_build{component=\"pil",
	} {
		if _, err := parseMetrics([]byte(page)); err == nil {
			t.Errorf("no error for %s", name)
		}
	}
}

func TestRejections(t *testing.T) {
	clean, err := parseMetrics([]byte(metricsHead))
	if err != nil {
		t.Fatal(err)
	}
	if got := rejections("revision default", clean, "2026\tinfo\tads\tADS: new connection\n"); len(got) != 0 {
		t.Errorf("findings of a clean istiod = %q", got)
	}
	trouble, err := parseMetrics([]byte(metricsTrouble))
	if err != nil {
		t.Fatal(err)
	}
	log := "2026\twarn\tads\tADS:LDS: ACK ERROR a.ns-12 Internal:no istio.stats\n" +
		"2026\twarn\tads\tADS:LDS: ACK ERROR a.ns-13 Internal:no istio.stats\n"
	want := []string{
		"revision default: a.ns refused lds: Internal:no istio.stats (×2)",
		"revision default: b.ns refused lds, for a reason its log no longer holds",
		"revision default: 1 refusals of ecds were counted, 1 of them are not in its log",
		"revision default: 3 refusals of lds were counted, 1 of them are not in its log",
	}
	if got := rejections("revision default", trouble, log); !slices.Equal(got, want) {
		t.Errorf("findings = %q", got)
	}
	listed := "2026\twarn\tads\tADS:ECDS: ACK ERROR a.ns-12 OK:2 errors occurred:\n\t* no module\n\t* no time\n\n\n2026\tinfo\tads\tnext\n"
	if got := rejections("revision default", clean, listed); !slices.Equal(got, []string{"revision default: a.ns refused ecds: OK:2 errors occurred: * no module * no time (×1)"}) {
		t.Errorf("findings = %q", got)
	}
	// A refusal in the log counts even where the counters were lost with a restart.
	if got := rejections("revision default", clean, log); len(got) != 1 {
		t.Errorf("findings = %q", got)
	}
}

func TestTheListOfExpectedFindingsIsValid(t *testing.T) {
	if _, err := parseExpected(expectedYAML); err != nil {
		t.Error(err)
	}
}

func TestParseExpected(t *testing.T) {
	const entry = "expected:\n- {row: wasmplugin, match: 'refused ecds', reason: a broken module, link: 'https://istio.io'}\n"
	expected, err := parseExpected([]byte(entry))
	if err != nil {
		t.Fatal(err)
	}
	unexplained, excused := judge([]string{"a refused ecds: x", "a refused lds: y"}, expected)
	if !slices.Equal(unexplained, []string{"a refused lds: y"}) {
		t.Errorf("unexplained = %q", unexplained)
	}
	if want := "a refused ecds: x (expected by wasmplugin: a broken module, https://istio.io)"; !slices.Equal(excused, []string{want}) {
		t.Errorf("excused = %q", excused)
	}
	for name, change := range map[string][2]string{
		"an unknown row":      {"wasmplugin", "wasm"},
		"no reason":           {"a broken module", "''"},
		"no link":             {"'https://istio.io'", "''"},
		"no expression":       {"'refused ecds'", "''"},
		"a broken expression": {"'refused ecds'", "'('"},
		"an unknown field":    {"reason:", "because: x, reason:"},
		"what is not a list":  {"- {row", "{row"},
	} {
		if _, err := parseExpected([]byte(strings.Replace(entry, change[0], change[1], 1))); err == nil {
			t.Errorf("no error for %s", name)
		}
	}
}
