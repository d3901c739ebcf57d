package failure

import (
	"testing"
	"time"

	"mesh-conformance/suites/internal/staticpod"
	"mesh-conformance/suites/internal/timing"
)

func TestExplaining(t *testing.T) {
	began := time.Now()
	at := func(after time.Duration) staticpod.Restart {
		return staticpod.Restart{Component: "etcd", At: began.Add(after)}
	}
	all := []staticpod.Restart{at(-timing.Rollout() - time.Second), at(-time.Second), at(time.Second)}
	got := explaining(all, began)
	if len(got) != 2 || got[0] != all[1] || got[1] != all[2] {
		t.Errorf("got %v, want the restarts during the spec and shortly before it, of %v", got, all)
	}
	if got := explaining(all[:1], began); len(got) != 0 {
		t.Errorf("a restart long before a spec explains nothing, got %v", got)
	}
}
