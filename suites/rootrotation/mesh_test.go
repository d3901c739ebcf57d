package rootrotation

import (
	"maps"
	"slices"
	"testing"
	"time"

	"mesh-conformance/suites/internal/steady"
)

func TestSumIsOfAllStretches(t *testing.T) {
	good := steady.Count{Way: "a to b", Sent: 40, Lasted: 2 * time.Second}
	bad := steady.Count{
		Way: "a to b", Sent: 20, Lost: 3, Reasons: map[string]int{"EOF": 2, "503": 1},
		Unmeasured: 1, Trouble: "no output", Lasted: time.Second,
	}
	worse := steady.Count{Way: "a to b", Sent: 20, Lost: 1, Reasons: map[string]int{"EOF": 1}, Unmeasured: 1, Trouble: "no more", Lasted: time.Second}
	got := sum([]steady.Count{good, bad, worse})
	if got.Way != "a to b" || got.Sent != 80 || got.Lost != 4 || got.Unmeasured != 2 || got.Trouble != "no output" || got.Lasted != 4*time.Second {
		t.Errorf("got %+v", got)
	}
	if want := map[string]int{"EOF": 3, "503": 1}; !maps.Equal(got.Reasons, want) {
		t.Errorf("reasons %v, want %v", got.Reasons, want)
	}
	if len(bad.Reasons) != 2 || bad.Reasons["EOF"] != 2 {
		t.Errorf("a stretch has changed: %v", bad.Reasons)
	}
	for name, c := range map[string]struct {
		of   []steady.Count
		want bool
	}{"all answered": {[]steady.Count{good, good}, true}, "one lost": {[]steady.Count{good, worse}, false}, "no stretch": {nil, false}} {
		if ok, err := steady.LoseNothing().Match(sum(c.of)); err != nil || ok != c.want {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func TestChangedTellsWhatWasReplacedOrRestarted(t *testing.T) {
	const one, again, two = "a-1/echo restarted 0 times", "a-1/echo restarted 1 times", "b-1/echo restarted 0 times"
	cases := map[string]struct{ before, now, want []string }{
		"nothing":        {[]string{one, two}, []string{two, one}, []string{}},
		"a restart":      {[]string{one, two}, []string{again, two}, []string{"no longer " + one, "now " + again}},
		"one that ended": {[]string{one, two}, []string{one}, []string{"no longer " + two}},
		"one that came":  {[]string{one}, []string{one, two}, []string{"now " + two}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := changed(c.before, c.now); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
