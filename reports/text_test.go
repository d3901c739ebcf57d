package reports

import "testing"

func TestPlain(t *testing.T) {
	cases := map[string]string{
		"\x1b[31mred\x1b[0m\tx\r\ny": "red\tx\ny",
		"bell\a null\x00":            "bell null",
		"\x1b]0;title\adone":         "done",
		"bad \xff utf8":              "bad � utf8",
		"ä ✓":                        "ä ✓",
	}
	for in, want := range cases {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	cases := []struct {
		in    string
		limit int
		want  string
	}{
		{"a\n  b\tc ", 0, "a b c"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äö…"},
		{"ab cd", 4, "ab…"},
		{"", 5, ""},
	}
	for _, c := range cases {
		if got := oneLine(c.in, c.limit); got != c.want {
			t.Errorf("oneLine(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func TestWhy(t *testing.T) {
	cases := []struct {
		spec Spec
		want string
	}{
		{Spec{State: StatePassed, Failure: "x"}, ""},
		{Spec{State: StateFailed, Failure: "a\nb", Reason: "r"}, "a b"},
		{Spec{State: StateFailed}, "no message was recorded"},
		{Spec{State: StateFlaky, Reason: "r"}, "r"},
		{Spec{State: StateKnownDefect, Failure: "long", Reason: "r"}, "r"},
		{Spec{State: StateExempt}, "no reason was recorded"},
	}
	for _, c := range cases {
		if got := why(c.spec, 0); got != c.want {
			t.Errorf("why(%+v) = %q, want %q", c.spec, got, c.want)
		}
	}
}

func TestDuration(t *testing.T) {
	cases := map[float64]string{0: "0 s", 0.0123: "12 ms", 0.9996: "1.00 s", 1.05: "1.05 s", 9.999: "10.0 s", 56.24: "56.2 s",
		99.96: "1 min 40 s", 119.6: "2 min 00 s", 3599.7: "1 h 00 min", 5400: "1 h 30 min"}
	for in, want := range cases {
		if got := duration(in); got != want {
			t.Errorf("duration(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	for link, want := range map[string]string{
		"https://github.com/istio/istio/issues/44702": "https://github.com/istio/istio/issues/44702",
		"javascript:alert(1)":                         "",
		"//host/path":                                 "",
		"https:///path":                               "",
		"":                                            "",
	} {
		if got := web(link); got != want {
			t.Errorf("web(%q) = %q, want %q", link, got, want)
		}
	}
	for link, want := range map[string]string{
		"https://github.com/istio/istio/issues/44702":              "istio/istio#44702",
		"https://github.com/kubernetes-sigs/gateway-api/pull/2543": "kubernetes-sigs/gateway-api#2543",
		"https://example.com/a/issues/1":                           "example.com/a/issues/1",
		"https://github.com/istio/istio/blob/1.20.0/a/b.go":        "github.com/istio/istio/blob/1.20.0/a/b.go",
	} {
		if got := linkText(link); got != want {
			t.Errorf("linkText(%q) = %q, want %q", link, got, want)
		}
	}
}

func TestTimeline(t *testing.T) {
	r := &Results{Specs: []Spec{
		{ID: "b", Process: 2, Start: 40, Seconds: 60}, {ID: "a", Process: 1, Start: 30, Seconds: 10},
		{ID: "c", Process: 1, Start: 20, Seconds: 5}, {ID: "never ran"},
	}}
	line := newTimeline(r)
	if line.From != 20 || line.To != 100 || len(line.Lanes) != 2 || line.Lanes[0].Specs[0].ID != "c" {
		t.Errorf("timeline %+v", line)
	}
	if got := line.Left(r.Specs[0]) + " " + line.Width(r.Specs[0]); got != "25.00 75.00" {
		t.Errorf("the bar of b is at %s", got)
	}
	if want := (tick{At: "12.50", Label: "30 s"}); len(line.Ticks) != 5 || line.Ticks[0] != want {
		t.Errorf("ticks %+v", line.Ticks)
	}
	if empty := newTimeline(&Results{}); len(empty.Lanes)+len(empty.Ticks) != 0 {
		t.Errorf("an empty run has %+v", empty)
	}
	for seconds, want := range map[float64]string{0: "0 s", 45: "45 s", 60: "1 min", 90: "1:30", 3600: "60 min"} {
		if got := tickLabel(seconds); got != want {
			t.Errorf("tickLabel(%v) = %q, want %q", seconds, got, want)
		}
	}
	if got := tickStep(100000); got != 18000 {
		t.Errorf("tickStep of a day = %v", got)
	}
}
