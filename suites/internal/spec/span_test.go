package spec

import (
	"slices"
	"testing"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
)

func TestSpanOf(t *testing.T) {
	for name, c := range map[string]struct {
		labels []string
		want   Span
		fails  bool
	}{
		"neither":                     {[]string{catalogue.Istioctl}, Span{}, false},
		"of the row":                  {[]string{catalogue.TargetRefTelemetry}, Span{Since: "1.20"}, false},
		"a container and its spec":    {slices.Concat([]string{catalogue.Istioctl}, Since("1.9"), Since("1.21")), Span{Since: "1.21"}, false},
		"a spec after its row":        {slices.Concat([]string{catalogue.Mirroring}, Since("1.21")), Span{Since: "1.21"}, false},
		"a spec before its row":       {slices.Concat([]string{catalogue.Mirroring}, Since("1.19")), Span{Since: "1.20"}, false},
		"until, the earlier":          {slices.Concat(Until("1.22"), Until("1.21.3")), Span{Until: "1.21.3"}, false},
		"both":                        {slices.Concat(Since("1.20"), Until("1.22")), Span{"1.20", "1.22"}, false},
		"a word that is no release":   {Since("later"), Span{}, true},
		"no release before a release": {slices.Concat(Until("never"), Until("1.22")), Span{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := SpanOf(c.labels)
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("SpanOf(%v) = %+v, %v", c.labels, got, err)
			}
		})
	}
}

func TestExcludes(t *testing.T) {
	for name, c := range map[string]struct {
		span Span
		base string
		want string
	}{
		"no bound":               {Span{}, "1.19.0", ""},
		"the first with it":      {Span{Since: "1.21"}, "1.21.0", ""},
		"the last without it":    {Span{Since: "1.21"}, "1.20.7", "promised since 1.21"},
		"since a patch":          {Span{Since: "1.20.2"}, "1.20.1", "promised since 1.20.2"},
		"the last with it":       {Span{Until: "1.21"}, "1.20.7", ""},
		"the first without it":   {Span{Until: "1.21"}, "1.21.0", "promised before 1.21 only"},
		"a base without a patch": {Span{Since: "1.20"}, "1.20", ""},
		"between the two":        {Span{"1.20", "1.22"}, "1.21.3", ""},
		"beyond both":            {Span{"1.20", "1.22"}, "1.22.0", "promised before 1.22 only"},
	} {
		t.Run(name, func(t *testing.T) {
			reason, is, err := c.span.Excludes(kindconfig.ReleaseSubject(c.base))
			if reason != c.want || is != (c.want != "") || err != nil {
				t.Errorf("got %q, %t, %v, want %q", reason, is, err, c.want)
			}
		})
	}
	if _, _, err := (Span{Since: "1.20"}).Excludes(kindconfig.Subject{Base: "unknown"}); err == nil {
		t.Error("a subject that is placed nowhere is taken")
	}
}

func TestExempt(t *testing.T) {
	labels := slices.Concat([]string{catalogue.Istioctl}, Since("1.21"))
	for name, c := range map[string]struct {
		every bool
		base  string
		want  bool
	}{
		"an older release":                 {false, "1.20.0", true},
		"an older release that is to fail": {true, "1.20.0", false},
		"a release with the promise":       {false, "1.21.3", false},
		"a subject that is placed nowhere": {false, "unknown", false},
	} {
		t.Run(name, func(t *testing.T) {
			job := &kindconfig.Job{EveryPromise: c.every, Cell: kindconfig.Cell{Subject: kindconfig.Subject{Base: c.base}}}
			if _, is := Exempt(job, labels); is != c.want {
				t.Errorf("exempt is %t, want %t", is, c.want)
			}
		})
	}
}
