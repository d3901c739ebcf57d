package main

import (
	"slices"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestDownRefusesANegativeTime(t *testing.T) {
	cmd := newCommand()
	cmd.SetArgs([]string{"down", "--unused=-1h", "--cache", t.TempDir()})
	if err := cmd.Execute(); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("err = %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	list := "a1 mesh-conformance-1.28 \nb2 mesh-conformance-1.28-rotation \nc3 kind \nd4  \n\ne5 bake e5\nf6 other yes\n"
	for _, c := range []struct {
		name string
		job  *kindconfig.Job
		want []string
	}{
		{"down removes all of ours", nil, []string{"a1", "b2", "e5"}},
		{"so does a run", &kindconfig.Job{Cluster: "mesh-conformance-1.28"}, []string{"a1", "b2", "e5"}},
		{"a reused cluster stays", &kindconfig.Job{Cluster: "mesh-conformance-1.28", Reuse: true}, []string{"b2", "e5"}},
	} {
		if got := leftovers(list, c.job); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := leftovers("", nil); len(got) > 0 {
		t.Errorf("of nothing: %v", got)
	}
}
