package images

import (
	"testing"
	"time"
)

func TestTimetable(t *testing.T) {
	step := func(name string, needs ...*artifact) *artifact { return &artifact{name: name, needs: needs} }
	type times = map[*artifact]time.Duration
	a, b, c := step("a"), step("b"), step("c")
	d, image := step("d"), step("image", a, b)
	for name, want := range map[string]struct {
		order []*artifact
		alone times
		whole time.Duration
		each  times
	}{
		"nothing": {},
		"one":     {[]*artifact{a}, times{a: 5}, 5, times{a: 5}},
		"three at once take three times as long": {
			[]*artifact{a, b, c}, times{a: 4, b: 4, c: 4}, 12, times{a: 12, b: 12, c: 12},
		},
		"a fourth waits for the first that ends": {
			[]*artifact{a, b, c, d}, times{a: 1, b: 3, c: 3, d: 2}, 9, times{a: 3, b: 9, c: 9, d: 6},
		},
		"an image waits for its needs": {
			[]*artifact{a, b, image}, times{a: 2, b: 6, image: 1}, 9, times{a: 4, b: 8, image: 1},
		},
	} {
		whole, each := timetable(want.order, want.alone)
		if whole != want.whole || len(each) != len(want.each) {
			t.Errorf("%s: %d, want %d; %v", name, whole, want.whole, each)
		}
		for artifact, took := range want.each {
			if each[artifact] != took {
				t.Errorf("%s: %s takes %d, want %d", name, artifact.name, each[artifact], took)
			}
		}
	}
}

func TestEstimateTakesWhatIsKnown(t *testing.T) {
	ended := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	kube := &artifact{name: "kubernetes-1.28.15", expect: 5 * time.Minute}
	istio := &artifact{name: "istio-1.20.0", expect: 4 * time.Minute}
	known := durations{"kubernetes-1.28.15": {{Ended: ended, Seconds: 1200, Beside: 1}}}
	got, each := estimate([]*artifact{kube, istio}, known)
	if want := (Estimate{Artifacts: 2, Unrecorded: 1, Time: 14 * time.Minute, Last: ended}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if each[istio] != 8*time.Minute || each[kube] != 14*time.Minute {
		t.Errorf("%v", each)
	}
}

func TestEstimateString(t *testing.T) {
	last := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	const line = "9 artifacts to build, about 26 min"
	for want, e := range map[string]Estimate{
		"nothing to build": {},
		"1 artifact to build, about 1 s on a quiet two-core machine": {Artifacts: 1, Unrecorded: 1},
		line + " on a quiet two-core machine":                        {Artifacts: 9, Unrecorded: 9, Time: 1580 * time.Second},
		line + " (from 2026-11-20's builds on this machine)":         {Artifacts: 9, Time: 26 * time.Minute, Last: last},
		line + " (from 2026-11-20's builds on this machine; 3 without one as on a quiet two-core machine)": {
			Artifacts: 9, Unrecorded: 3, Time: 26 * time.Minute, Last: last,
		},
	} {
		if got := e.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEstimateOfCells(t *testing.T) {
	b, kubernetes, istio := newPlanner(t)
	one, err := b.Estimate(t.Context(), istio, kubernetes)
	if err != nil || one.Artifacts == 0 || one.Unrecorded != one.Artifacts ||
		one.Time < 10*time.Minute || one.Time > time.Hour {
		t.Fatalf("%+v, %v", one, err)
	}
	if twice, err := b.Estimate(t.Context(), istio, kubernetes, kubernetes); err != nil || twice != one {
		t.Errorf("the same cell twice: %+v, %v", twice, err)
	}
	other, err := b.versions.ForKubernetes("1.27")
	if err != nil {
		t.Fatal(err)
	}
	both, err := b.Estimate(t.Context(), istio, kubernetes, other)
	if err != nil || both.Artifacts <= one.Artifacts || both.Artifacts >= 2*one.Artifacts || both.Time <= one.Time {
		t.Errorf("two cells: %+v after %+v, %v", both, one, err)
	}
	other.Version = "1.27.99"
	if _, err := b.Estimate(t.Context(), istio, other); err == nil {
		t.Error("a version that is not pinned has an estimate")
	}
}
