package machine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// proc writes the kernel's process files into a folder.
func proc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// stat is a process' stat file with processor times in hundredths of a second.
func stat(name, state, user, system, started string) string {
	return "7 (" + name + ") " + state + " 1 1 1 0 -1 4194560 0 0 0 0 " + user + " " + system + " 0 0 20 0 1 0 " + started + " 1 1\n"
}

func TestASampleCountsRunnableThreadsWithoutThoseOfBuilds(t *testing.T) {
	m := Meter{Cores: 2, Builds: func() ([]string, error) { return []string{"11", "12", "13"}, nil }, Proc: proc(t, map[string]string{
		"loadavg": "3.00 2.00 1.00 21/900 77\n",
		"11/stat": stat("compile", "R", "1", "1", "5"), "12/stat": stat("compile", "S", "1", "1", "5"),
	})}
	s, ok := m.sample(t.Context())
	if !ok || s.Runnable != 9.5 {
		t.Errorf("%v runnable threads per core, want (20-1)/2", s.Runnable)
	}
	if s.Seconds < 1 || s.At.IsZero() || s.Worst < s.Late {
		t.Errorf("sample %+v", s)
	}
}

func TestASampleOfAMachineThatTellsNothing(t *testing.T) {
	m := Meter{Cores: 2, Proc: t.TempDir()}
	if s, ok := m.sample(t.Context()); !ok || s.Runnable != 0 || s.Pressure != -1 {
		t.Errorf("sample %+v", s)
	}
	if got := m.stalled(); got != -1 {
		t.Errorf("pressure of %s", got)
	}
}

func TestSharesOfTheBuildUnderTest(t *testing.T) {
	before := Meter{Proc: proc(t, map[string]string{
		"stat": "cpu  100 0 100 9000 10 0 0 0 0 0\n", "5/stat": stat("pilot-discovery", "R", "50", "0", "9"),
		"6/stat": stat("kube-apiserver", "S", "50", "0", "9"),
	})}.usage()
	after := Meter{Proc: proc(t, map[string]string{
		"stat": "cpu  350 0 150 9100 10 0 0 0 0 0\n", "5/stat": stat("pilot-discovery", "R", "200", "40", "9"),
		"6/stat": stat("kube-apiserver", "S", "100", "0", "9"), "8/stat": stat("envoy", "R", "8", "2", "90"),
	})}.usage()
	after.at = before.at.Add(2 * time.Second)
	got := after.since(before)
	// 300 hundredths in two seconds, 190 and 10 of them by istiod and a new proxy.
	if got.used != 1.5 || got.subject < 0.66 || got.subject > 0.67 || got.busiest != "pilot-discovery" {
		t.Errorf("shares %+v", got)
	}
	if nothing := before.since(before); nothing != (shares{}) {
		t.Errorf("shares of no time are %+v", nothing)
	}
}

func TestOnlyProcessesOfTheClustersCount(t *testing.T) {
	m := Meter{Group: "/clusters", Proc: proc(t, map[string]string{
		"5/stat": stat("envoy", "R", "50", "0", "9"), "5/cgroup": "2:cpu:/clusters/a/kubepods\n",
		"6/stat": stat("envoy", "R", "50", "0", "9"), "6/cgroup": "2:cpu:/clusters-of-another-run/a\n",
		"7/stat": stat("envoy", "R", "50", "0", "9"),
	})}
	if got := m.usage().of; len(got) != 1 {
		t.Errorf("%d processes count, want the one in the clusters' group: %v", len(got), got)
	}
}

func TestAProcessNameMayHoldParentheses(t *testing.T) {
	m := Meter{Proc: proc(t, map[string]string{"5/stat": stat("a) R (b", "S", "3", "4", "9"), "6/stat": "6 (cut"})}
	if got, ok := m.stat("5"); !ok || got.name != "a) R (b" || got.state != "S" || got.used != 70*time.Millisecond {
		t.Errorf("stat %+v", got)
	}
	if _, ok := m.stat("6"); ok {
		t.Error("a file that ends early was understood")
	}
}

func TestMeasureWritesWhatLoadReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.jsonl")
	recorder, err := NewRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	count := 0
	Meter{}.Measure(ctx, func(s Sample) {
		if err := recorder.Add(s); err != nil {
			t.Error(err)
		}
		if count++; count == 2 {
			cancel()
		}
	})
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	samples, err := Load(path)
	if err != nil || len(samples) != 2 || !samples[1].At.After(samples[0].At) {
		t.Errorf("%d samples, error %v", len(samples), err)
	}
}
