package machine

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time { return begun.Add(time.Duration(seconds * float64(time.Second))) }

func TestBetween(t *testing.T) {
	samples := []Sample{
		{At: at(1), Seconds: 1, Late: 10, Worst: 30, Runnable: 2, Used: 2, Subject: 0.5, Busiest: "istioctl"},
		{At: at(4), Seconds: 3, Late: 2, Worst: 90, Runnable: 6, Used: 1, Subject: 0.1, Busiest: "envoy"},
		{At: at(5), Late: 1000, Worst: 5000, Runnable: 100},
		{At: at(9), Seconds: 1, Late: 4, Worst: 9, Runnable: 1, Used: 2},
	}
	for name, c := range map[string]struct {
		samples  []Sample
		from, to time.Time
		want     Lag
	}{
		"nothing measured": {nil, at(0), at(9), Lag{Factor: 1}},
		"an empty set":     {[]Sample{}, at(0), at(9), Lag{Factor: 1}},
		"between samples":  {samples, at(5), at(8), Lag{Factor: 1}},
		"before the first": {samples, at(-5), at(0), Lag{Factor: 1}},
		"after the last":   {samples, at(9), at(20), Lag{Factor: 1}},
		"one sample": {samples, at(0), at(1), Lag{Seconds: 1, Late: 10, Worst: 30, Runnable: 2, Used: 2, Subject: 0.5,
			Busiest: "istioctl", Factor: 1}},
		"one moment": {samples, at(0.5), at(0.5), Lag{Seconds: 1, Late: 10, Worst: 30, Runnable: 2, Used: 2, Subject: 0.5,
			Busiest: "istioctl", Factor: 1}},
		"weighted by length, a sample without a length left out": {samples, at(0), at(6),
			Lag{Seconds: 4, Late: 4, Worst: 90, Runnable: 5, Used: 1.25, Subject: 0.26, Busiest: "istioctl", Factor: 1}},
		"a build that used nothing": {samples, at(8), at(9), Lag{Seconds: 1, Late: 4, Worst: 9, Runnable: 1, Used: 2, Factor: 1}},
	} {
		got := Between(c.samples, c.from, c.to)
		if math.Abs(got.Subject-c.want.Subject) < 1e-9 {
			got.Subject = c.want.Subject
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestStarved(t *testing.T) {
	allowed := func(factor float64) Lag {
		return Lag{Seconds: 30, Runnable: factor * usualRunnable * tolerance, Factor: factor}
	}
	more := func(l Lag) Lag { l.Runnable++; return l }
	for name, c := range map[string]struct {
		lag  Lag
		want string
	}{
		"nothing measured":                       {Lag{Runnable: 1000, Late: 1000, Worst: 5000, Factor: 1}, ""},
		"quiet":                                  {Lag{Seconds: 30, Runnable: 3, Late: 1, Worst: 40, Factor: 1}, ""},
		"as slow as the limits allow for":        {allowed(1), ""},
		"slower":                                 {more(allowed(1)), "it was 1."},
		"as slow as stretched limits allow for":  {allowed(4), ""},
		"slower than stretched limits allow for": {more(allowed(4)), "it was 6."},
		"late": {Lag{Seconds: 30, Late: usualLate + latePerFactor, Factor: 1},
			"it was 2.0 times slower than a quiet machine, and time limits allowed for 1.0 times"},
		"late, and allowed for": {Lag{Seconds: 30, Late: usualLate + latePerFactor, Factor: 2}, ""},
	} {
		why, starved := c.lag.Starved()
		if starved != (c.want != "") || !strings.HasPrefix(why, c.want) {
			t.Errorf("%s: starved %t, %q; want %q", name, starved, why, c.want)
		}
	}
}

func TestBySubject(t *testing.T) {
	for name, c := range map[string]struct {
		lag  Lag
		want string
	}{
		"nothing measured": {Lag{}, ""},
		"most of little":   {Lag{Seconds: 30, Used: 0.1, Subject: 0.9}, ""},
		"a quarter":        {Lag{Seconds: 30, Used: 1, Subject: 0.25, Busiest: "envoy"}, ""},
		"at the bound":     {Lag{Seconds: 30, Used: 1, Subject: greedy}, ""},
		"most, the busiest unknown": {Lag{Seconds: 30, Used: 1, Subject: 0.9},
			"processes of the build under test used 90 % of the processor time that the clusters used"},
		"most": {Lag{Seconds: 30, Used: 1, Subject: 0.9, Busiest: "pilot-discovery"},
			"processes of the build under test used 90 % of the processor time that the clusters used, most of it pilot-discovery"},
	} {
		how, is := c.lag.BySubject()
		if is != (c.want != "") || how != c.want {
			t.Errorf("%s: by the subject %t, %q; want %q", name, is, how, c.want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	sample := Sample{At: at(5), Seconds: 2}
	for name, c := range map[string]struct {
		from, to float64
		want     bool
	}{
		"around it":           {0, 9, true},
		"within it":           {3.5, 4.5, true},
		"its end":             {4.9, 9, true},
		"its beginning":       {0, 3.1, true},
		"from its end on":     {5, 9, false},
		"to its beginning":    {0, 3, false},
		"an inverted stretch": {6, 2, false},
	} {
		if got := sample.Overlaps(at(c.from), at(c.to)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if (Sample{At: at(5)}).Overlaps(at(0), at(9)) {
		t.Error("a sample without a length overlaps")
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.jsonl")
	if samples, err := Load(path); err != nil || len(samples) != 0 {
		t.Errorf("a file that does not exist: %v, %v", samples, err)
	}
	const first = `{"at":"2026-01-02T03:04:06Z","seconds":1,"late":2.5,"worst":9,"runnable":3,` +
		`"pressure":-1,"used":1.5,"subject":0.25,"busiest":"envoy",` +
		`"width":5,"holding":3,"waiting":1}`
	content := first + "\n\nno JSON\n{\"seconds\":1}\n" + strings.Replace(first, ":06Z", ":07Z",
		1) + "\n{\"at\":\"2026-01-02T03:04:0"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	samples, err := Load(path)
	want := Sample{At: at(1), Seconds: 1, Late: 2.5, Worst: 9, Runnable: 3, Pressure: -1, Used: 1.5, Subject: 0.25,
		Busiest: "envoy", Width: 5, Holding: 3, Waiting: 1}
	if err != nil || len(samples) != 2 || samples[0] != want || !samples[1].At.Equal(at(2)) {
		t.Errorf("read %+v, %v", samples, err)
	}
	long := first + "\n" + strings.Repeat("x", 100_000) + "\n"
	if err := os.WriteFile(path, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if samples, err := Load(path); err == nil || len(samples) != 1 {
		t.Errorf("a line that is too long: %d samples, %v", len(samples), err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}
