package reports

import (
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestRowState(t *testing.T) {
	const unknown State = "green"
	cases := []struct {
		name  string
		specs []State
		want  State
	}{
		{"no specs", nil, StateNotRun},
		{"all passed", []State{StatePassed, StatePassed}, StatePassed},
		{"all exempt", []State{StateExempt, StateExempt}, StateExempt},
		{"all not run", []State{StateNotRun}, StateNotRun},
		{"an exemption beside a pass", []State{StateExempt, StatePassed}, StatePassed},
		{"partly run", []State{StatePassed, StateNotRun}, StateNotRun},
		{"exempt and not run", []State{StateExempt, StateNotRun}, StateNotRun},
		{"a known defect beside passes", []State{StatePassed, StateKnownDefect}, StateKnownDefect},
		{"a known defect in a row partly run", []State{StateNotRun, StateKnownDefect}, StateKnownDefect},
		{"undecided before known defect and pass", []State{StatePassed, StateKnownDefect, StateUndecided}, StateUndecided},
		{"flaky before undecided", []State{StateUndecided, StateFlaky}, StateFlaky},
		{"undecided in a row partly run", []State{StateNotRun, StateUndecided, StateExempt}, StateUndecided},
		{"flaky before known defect", []State{StateKnownDefect, StateFlaky, StatePassed}, StateFlaky},
		{"failed before all", []State{StateFlaky, StateKnownDefect, StateFailed, StatePassed}, StateFailed},
		{"an unknown state is never green", []State{StatePassed, unknown}, StateFailed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := RowState(c.specs); got != c.want {
				t.Errorf("RowState(%v) = %s, want %s", c.specs, got, c.want)
			}
		})
	}
}

func TestRepairsArePasses(t *testing.T) {
	r := repairedRun()
	if r.Totals.Repaired != 1 || r.Totals.Passed+r.Totals.KnownDefect+r.Totals.Exempt != r.Totals.Total {
		t.Errorf("totals %+v", r.Totals)
	}
	if err := Verdict(r); err != nil {
		t.Errorf("verdict %v", err)
	}
	if said := conclude(r).Sentence; !strings.HasPrefix(said, "1 known defect repaired, ") {
		t.Errorf("it says %q", said)
	}
	// A repair is no excuse, and comes first even so.
	fail(r, "gatewayapi.http.HTTPRouteMatching", "another backend responded")
	if end := conclude(r); end.Signable || !strings.HasPrefix(end.Sentence, "1 known defect repaired, 1 spec failed") {
		t.Errorf("it says %q", end.Sentence)
	}
}

func TestRepairWords(t *testing.T) {
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"by the build": {Spec{State: StatePassed, Defect: &Defect{Affected: ">=1.20.0 <1.20.7", Repaired: RepairedHere}},
			"repaired by this build; releases >=1.20.0 <1.20.7 fail it"},
		"by a release": {Spec{State: StatePassed, Defect: &Defect{Repaired: RepairedSince, Release: "1.20.7", Last: "1.20.0"}},
			"repaired in 1.20.7"},
		"since a range that names its end": {Spec{State: StatePassed, Defect: &Defect{Repaired: RepairedSince, Affected: "<1.21.0"}},
			"repaired since releases <1.21.0"},
		"since a release": {Spec{State: StatePassed, Defect: &Defect{Repaired: RepairedSince, Last: "1.20.1"}},
			"repaired since 1.20.1"},
		"failure": {Spec{State: StateFailed, Defect: &Defect{Affected: "*"}}, ""},
		"pass":    {Spec{State: StatePassed}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := repairWords(c.spec); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestByListPutsTheSuitesFirst(t *testing.T) {
	parts := byList([]Spec{{ID: "b", List: "b.yaml"}, {ID: "o"}, {ID: "a", List: "a.yaml"}, {ID: "p"}})
	if len(parts) != 3 || parts[0].List != "" || len(parts[0].Specs) != 2 || parts[1].List != "a.yaml" {
		t.Errorf("parts %+v", parts)
	}
	if got := titled("Exemptions", "a.yaml"); got != "Exemptions from the vendor's list a.yaml" {
		t.Errorf("title %q", got)
	}
}

func TestTally(t *testing.T) {
	r := &Results{
		Rows: []Row{{ID: "b", State: StatePassed}, {ID: "a"}},
		Specs: []Spec{
			{ID: "a/2", Row: "a", State: StateExempt}, {ID: "a/1", Row: "a", State: StateFlaky},
			{ID: "b/1", Row: "b", State: StateNotRun}, {ID: "a/3", Row: "a", State: StateKnownDefect},
			{ID: "b/0", Row: "b", State: StateFailed}, {ID: "b/2", Row: "b", State: StatePassed}, {ID: "b/3", Row: "b",
				State: StateUndecided},
		},
		Totals: Totals{Passed: 99},
	}
	r.Tally()
	if want := (Totals{Passed: 1, Failed: 1, Flaky: 1, KnownDefect: 1, Exempt: 1, NotRun: 1, Undecided: 1,
		Total: 7}); r.Totals != want {
		t.Errorf("totals %+v, want %+v", r.Totals, want)
	}
	if r.Rows[0].State != StateFailed || r.Rows[1].State != StateFlaky {
		t.Errorf("rows %+v, want failed and flaky", r.Rows)
	}
	var order []string
	for _, spec := range r.Specs {
		order = append(order, spec.ID)
	}
	if got := strings.Join(order, " "); got != "b/0 b/1 b/2 b/3 a/1 a/2 a/3" {
		t.Errorf("specs in the order %s", got)
	}
}

func TestVerdict(t *testing.T) {
	spec := func(states ...State) []Spec {
		var specs []Spec
		for _, state := range states {
			specs = append(specs, Spec{State: state})
		}
		return specs
	}
	cases := []struct {
		name string
		r    Results
		want string
	}{
		{"failed beats undecided", Results{Specs: spec(StateFailed, StateUndecided, StateUndecided)},
			"1 spec failed, 2 specs are undecided besides"},
		{"an undecided run with a problem", Results{Specs: spec(StatePassed, StateUndecided), Problems: []string{"x"}},
			"1 problem of the run itself, 1 spec is undecided besides"},
		{"passed", Results{Specs: spec(StatePassed)}, ""},
		{"known defects and exemptions alone do not fail", Results{Specs: spec(StatePassed, StateKnownDefect, StateExempt)}, ""},
		{"a filtered run leaves specs out", Results{Run: Run{Filter: "x"}, Specs: spec(StatePassed, StateNotRun)}, ""},
		{"a full run leaves specs out", Results{Specs: spec(StatePassed, StateNotRun)}, "1 spec did not run"},
		{"failed", Results{Specs: spec(StatePassed, StateFailed, StateFailed)}, "2 specs failed"},
		{"flaky", Results{Specs: spec(StatePassed, StateFlaky)}, "1 spec passed only when tried again"},
		{"nothing", Results{}, "no spec ran"},
		{"nothing but exemptions", Results{Specs: spec(StateExempt)}, "no spec ran"},
		{"a filter that matches nothing", Results{Run: Run{Filter: "x"}, Specs: spec(StateNotRun)}, "no spec ran"},
		{"a fault of the lists", Results{Specs: spec(StatePassed), Problems: []string{"x"}}, "1 problem of the run itself"},
		{"several", Results{Specs: spec(StateFailed, StateFlaky), Problems: []string{"x"}},
			"1 spec failed, 1 spec passed only when tried again, 1 problem of the run itself"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Verdict(&c.r)
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v, want a pass", err)
				}
				return
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if code := problem.ExitCode(err); code != problem.ExitFailedSpecs {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestVerdictOfUndecidedSpecs(t *testing.T) {
	const remedy = "; run again on a less busy machine"
	spec := func(doubt Doubt, lag *Lag) Spec { return Spec{State: StateUndecided, Doubt: doubt, Lag: lag} }
	passed := Spec{State: StatePassed}
	cases := []struct {
		name    string
		specs   []Spec
		want    string
		allowed bool
	}{
		{"starved", []Spec{passed, spec(DoubtStarved, &Lag{Runnable: 45.3, Worst: 300}), spec(DoubtStarved,
			&Lag{Runnable: 31, Worst: 1620})},
			"2 specs are undecided, because time ran out while the machine was starved (at worst 45 runnable threads per " +
				"core, a timer 1.62 s late)" + remedy, true},
		{"lost its connection", []Spec{passed, spec(DoubtConnection, &Lag{Runnable: 45})},
			"1 spec is undecided, because the suite lost its connection to the API server or the container engine; run " +
				"again", true},
		{"after a restart", []Spec{passed, spec(DoubtRestart, nil)},
			"1 spec is undecided, because the Kubernetes control plane had restarted" + remedy, true},
		{"several", []Spec{passed, spec(DoubtRestart, nil), spec(DoubtStarved, nil), spec(DoubtStarved, nil)},
			"3 specs are undecided: 2 because time ran out while the machine was starved and 1 because the Kubernetes " +
				"control plane had restarted" + remedy, true},
		{"nothing is decided", []Spec{spec(DoubtStarved, nil), {State: StateExempt}},
			"1 spec is undecided, because time ran out while the machine was starved" + remedy, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := &Results{Specs: c.specs}
			err := Verdict(r)
			if err == nil || err.Error() != c.want || problem.ExitCode(err) != problem.ExitEnvironment ||
				!problem.IsUndecided(err) {
				t.Errorf("got %v with exit code %d, want %q", err, problem.ExitCode(err), c.want)
			}
			if allowed := VerdictAllowing(r, true); (allowed == nil) != c.allowed {
				t.Errorf("with undecided specs allowed: %v", allowed)
			}
		})
	}
	failed := &Results{Specs: []Spec{{State: StateFailed}, spec(DoubtStarved, nil)}}
	if err := VerdictAllowing(failed, true); problem.ExitCode(err) != problem.ExitFailedSpecs {
		t.Errorf("a failed run with undecided specs allowed: %v", err)
	}
}
