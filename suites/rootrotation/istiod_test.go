package rootrotation

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAfterGivesWhatWasLoggedFromTheMomentOn(t *testing.T) {
	const log = "2026-11-23T10:00:00.100000000Z 2026-11-23T10:00:00.099Z\twarn\tbefore\n" +
		"2026-11-23T10:00:00.500000000Z at the moment\n" +
		"2026-11-23T11:00:00.600000000+01:00 in another zone\n" +
		"no timestamp\n" +
		"2026-11-23T10:00:01Z later"
	moment := time.Date(2026, 11, 23, 10, 0, 0, 500_000_000, time.UTC)
	cases := map[string]struct {
		since time.Time
		want  []string
	}{
		"in the midst":   {moment, []string{"at the moment", "in another zone", "later"}},
		"before it all":  {moment.Add(-time.Second), []string{"2026-11-23T10:00:00.099Z\twarn\tbefore", "at the moment", "in another zone", "later"}},
		"after it all":   {moment.Add(time.Minute), []string{}},
		"of another day": {moment.AddDate(0, 0, 1), []string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := after(log, c.since); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := after("", moment); got == nil || len(got) != 0 {
		t.Errorf("got %q for an empty log: matchers want an empty list, not none", got)
	}
}

func TestWhatIstiodSaysOfItsAuthorityIsJudged(t *testing.T) {
	const (
		stamp = "2026-11-23T10:00:00.099Z\t"
		push  = stamp + "info\tads\tPush debounce stable[6] 1 for config Secret/istio-system/cacerts: 100ms since last change"
		begin = stamp + "info\tUpdate Istiod cacerts"
		taken = stamp + "info\t" + saysTaken
		off   = stamp + "warn\t" + saysSingleRoot
		other = stamp + "warn\t" + saysUnrelated
		key   = stamp + "error\t" + saysMismatch
		late  = stamp + "error\t" + saysNotTaken + "cannot verify: x509: " + saysExpired + ": now is later"
	)
	if got := ofAuthority([]string{push, begin, taken}); !slices.Equal(got, []string{"Update Istiod cacerts", saysTaken}) {
		t.Errorf("got %q", got)
	}
	cases := map[string]struct {
		lines []string
		words string
		want  bool
	}{
		"taken":                            {[]string{begin, taken}, saysTaken, true},
		"refused, not taken":               {[]string{begin, key}, saysTaken, false},
		"the switch is off":                {[]string{begin, off}, saysSingleRoot, true},
		"the switch is on":                 {[]string{begin, other}, saysSingleRoot, false},
		"unrelated":                        {[]string{begin, other}, saysUnrelated, true},
		"off is no word of unrelated ones": {[]string{begin, off}, saysUnrelated, false},
		"mismatched":                       {[]string{begin, key}, saysMismatch, true},
		"expired, not mismatched":          {[]string{begin, late}, saysMismatch, false},
		"expired":                          {[]string{begin, late}, saysExpired, true},
		"nothing about it":                 {[]string{push}, saysTaken, false},
		"nothing at all":                   {nil, saysTaken, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			messages := ofAuthority(c.lines)
			got, err := say(c.words).Match(messages)
			if err != nil || got != c.want {
				t.Errorf("%v, %v for %q", got, err, messages)
			}
			if message := say(c.words).FailureMessage(messages); !strings.Contains(message, c.words) {
				t.Errorf("%q does not say what was expected", message)
			}
		})
	}
	if _, err := say(saysTaken).Match(saysTaken); err == nil {
		t.Error("a string is no list of messages")
	}
}
