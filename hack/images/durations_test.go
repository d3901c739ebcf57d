package images

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestDurationsAreKept(t *testing.T) {
	s := store{dir: t.TempDir()}
	known := s.loadDurations()
	for i := range keptDurations + 2 {
		known.add("istio", duration{Ended: time.Unix(int64(i), 0).UTC(), Seconds: float64(i)})
	}
	if err := s.saveDurations(known); err != nil {
		t.Fatal(err)
	}
	again := s.loadDurations()
	kept := again["istio"]
	if !slices.Equal(kept, known["istio"]) || len(kept) != keptDurations || kept[0].Seconds != 2 {
		t.Errorf("kept %+v", again)
	}
	for _, damaged := range []string{"", "null", "{", `{"istio": 1}`} {
		if err := os.WriteFile(filepath.Join(s.dir, durationsFile), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if known := s.loadDurations(); known == nil || len(known) > 0 {
			t.Errorf("%q holds %v", damaged, known)
		}
	}
}

func TestUsual(t *testing.T) {
	known := durations{
		"istio": {{Seconds: 240}, {Seconds: 720, Beside: 2}, {Seconds: 1800, Specs: true}},
		"etcd":  {{Seconds: 90, Specs: true}},
	}
	for name, c := range map[string]struct {
		artifact string
		specs    bool
		want     Usual
	}{
		"the last one":                   {"istio", false, Usual{12 * time.Minute, true}},
		"the last one beside specs":      {"istio", true, Usual{30 * time.Minute, true}},
		"only recorded beside specs":     {"etcd", false, Usual{time.Minute, false}},
		"never recorded on this machine": {"coredns", true, Usual{time.Minute, false}},
	} {
		if got := known.usual(c.artifact, c.specs, time.Minute); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAlone(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC) }
	known := durations{"istio": {
		{Ended: at(1), Seconds: 720, Beside: 2}, {Ended: at(2), Seconds: 600}, {Ended: at(3), Seconds: 200},
		{Ended: at(4), Seconds: 1800, Specs: true},
	}}
	if took, ended, ok := known.alone("istio"); took != 4*time.Minute || ended != at(3) || !ok {
		t.Errorf("%s, %s, %v", took, ended, ok)
	}
	if _, _, ok := known.alone("etcd"); ok {
		t.Error("a build that never was is known")
	}
}

func TestCrowd(t *testing.T) {
	begun := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	stretches := 0
	besideSpecs := func() (bool, int) { return false, stretches }
	var c crowd
	long := c.enter(at(0), false, 0)
	short := c.enter(at(10), false, 0)
	if got := c.leave(at(20), short, besideSpecs); got != (duration{Ended: at(20), Seconds: 10, Beside: 1}) {
		t.Errorf("the short one: %+v", got)
	}
	if got := c.leave(at(40), long, besideSpecs); got.Seconds != 40 || got.Beside != 0.3 || got.Specs {
		t.Errorf("the long one: %+v", got)
	}
	// First no build is under way. Then specs begin and end during a build, and a build begins while specs run.
	during := c.enter(at(100), false, 0)
	stretches++
	if got := c.leave(at(110), during, besideSpecs); got.Beside != 0 || !got.Specs {
		t.Errorf("with specs in between: %+v", got)
	}
	if got := c.leave(at(120), c.enter(at(110), true, 1), besideSpecs); !got.Specs {
		t.Errorf("begun beside specs: %+v", got)
	}
}
