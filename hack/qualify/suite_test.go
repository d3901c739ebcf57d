package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/kindconfig"
)

func TestSuiteArguments(t *testing.T) {
	job := &kindconfig.Job{Directory: "/runs/r", Procs: 3}
	plain := suiteArguments(job, runOptions{}, "/bin/suite.test")
	if slices.ContainsFunc(plain, func(a string) bool { return strings.HasPrefix(a, "--focus") || strings.HasPrefix(a, "--label") }) {
		t.Errorf("without filters: %q", plain)
	}
	for _, want := range []string{"--procs=3", "--keep-going", "--grace-period=10s"} {
		if !slices.Contains(plain, want) {
			t.Errorf("%q lacks %s", plain, want)
		}
	}
	filtered := suiteArguments(job, runOptions{focus: "a b", labels: "c || d"}, "/bin/suite.test")
	if tail := filtered[len(filtered)-5:]; !slices.Equal(tail, []string{"--focus=a b", "--label-filter=c || d", "/bin/suite.test", "--", "--job=/runs/r/job.json"}) {
		t.Errorf("with filters: %q", tail)
	}
}

func TestRunSuite(t *testing.T) {
	job := runFolderOf(t, "")
	ginkgo := fakeProgram(t, `
echo "   1.5s the API server answers" > provisioning.log
echo "kind 0.1s noise" >> provisioning.log
echo '{"id":"a/b","state":"passed","seconds":2}' >> events.jsonl
echo "said by the suite, with engine $ENGINE"
exit 1
`)
	var out bytes.Buffer
	shown := newDisplay(&out, 1)
	err := runSuite(t.Context(), shown, job, runOptions{}, suiteTools{suite: "suite.test", ginkgo: ginkgo}, append(os.Environ(), "ENGINE=e"))
	shown.close()
	if err == nil || err.Error() != "exit status 1" {
		t.Errorf("the suite ended with %v", err)
	}
	for _, want := range []string{"   1.5s the API server answers\n", "1/1  passed          2.0s  a/b\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "noise") {
		t.Errorf("noise is shown:\n%s", out.String())
	}
	if log, _ := os.ReadFile(job.Path(suiteLog)); string(log) != "said by the suite, with engine e\n" {
		t.Errorf("the log has %q", log)
	}
}

func TestCrash(t *testing.T) {
	for content, want := range map[string]string{
		"": "", "all well\npanicked: no\n": "",
		"x\n  panic: nil map [recovered]\ngoroutine": "panic: nil map [recovered]",
		"fatal error: concurrent map writes\n":       "fatal error: concurrent map writes",
	} {
		path := filepath.Join(t.TempDir(), suiteLog)
		put(t, path, content)
		if got := crash(path); got != want {
			t.Errorf("crash of %q is %q", content, got)
		}
	}
	if got := crash(filepath.Join(t.TempDir(), "missing")); got != "" {
		t.Errorf("crash without a log is %q", got)
	}
}
