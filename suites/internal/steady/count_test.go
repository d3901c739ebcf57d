package steady

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/timing"
)

func of(lasted time.Duration, runs ...any) Count {
	c := Count{Way: "client to http://server/", Lasted: lasted}
	for _, run := range runs {
		switch run := run.(type) {
		case echo.Answers:
			c.add(time.Time{}, time.Time{}, run, nil)
		case error:
			c.add(time.Time{}, time.Time{}, echo.Answers{}, run)
		}
	}
	return c
}

func answered(statuses ...int) echo.Answers {
	answers := echo.Answers{Sent: len(statuses)}
	for _, status := range statuses {
		answers.All = append(answers.All, echo.Answer{Status: status})
	}
	return answers
}

func failed(sent, number int, failure string) echo.Answers {
	return echo.Answers{Sent: sent, Failed: number, Failure: failure}
}

func many(number int) echo.Answers {
	statuses := make([]int, number)
	for i := range statuses {
		statuses[i] = 200
	}
	return answered(statuses...)
}

func TestCountTellsWhenItLost(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 500e6, time.UTC) }
	for name, test := range map[string]struct {
		lossy []int
		want  string
	}{
		"never":                {nil, "0 lost"},
		"in one run":           {[]int{2}, "1 lost between 03:04:02.5 and 03:04:04.5 UTC: 1 × 503"},
		"in runs far apart":    {[]int{2, 6}, "2 lost between 03:04:02.5 and 03:04:08.5 UTC: 2 × 503"},
		"the later told first": {[]int{6, 2}, "2 lost between 03:04:02.5 and 03:04:08.5 UTC: 2 × 503"},
	} {
		c := Count{Lasted: 10 * time.Second}
		c.add(at(0), at(2), many(40), nil)
		for _, second := range test.lossy {
			c.add(at(second), at(second+2), answered(200, 503), nil)
		}
		c.add(at(8), at(10), many(40), nil)
		if got := c.String(); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want it to contain %s", name, got, test.want)
		}
	}
}

func TestLoseEverything(t *testing.T) {
	for name, test := range map[string]struct {
		count Count
		holds bool
	}{
		"all refused":                   {of(2*time.Second, answered(403, 403, 403, 403), failed(36, 36, "EOF")), true},
		"one by an old connection":      {of(2*time.Second, failed(39, 39, "EOF"), answered(200)), false},
		"nothing sent":                  {of(2 * time.Second), false},
		"too few sent":                  {of(10*time.Second, failed(40, 40, "EOF")), false},
		"some of which nobody knows":    {of(4*time.Second, failed(40, 40, "EOF"), errors.New("broken")), false},
		"the stretch of the issue":      {of(2*time.Second, failed(14, 14, "EOF"), many(26)), false},
		"no request is lost in it":      {of(2*time.Second, many(40)), false},
		"just enough in a long stretch": {of(4*time.Second, failed(40, 40, "EOF")), true},
	} {
		if ok, err := LoseEverything().Match(test.count); err != nil || ok != test.holds {
			t.Errorf("%s: LoseEverything is %v, %v", name, ok, err)
		}
		if message := LoseEverything().FailureMessage(test.count); !strings.Contains(message, test.count.String()) {
			t.Errorf("%s: the message hides what was seen: %s", name, message)
		}
	}
	if _, err := LoseEverything().Match(echo.Answers{}); err == nil {
		t.Error("LoseEverything judges another type")
	}
}

// A slow machine begins fewer runs: that alone is no loss.
func TestEnoughFollowsTheMachine(t *testing.T) {
	t.Cleanup(func() { timing.Stretch(1) })
	count := of(10*time.Second, many(40))
	for factor, want := range map[float64]int{1: 100, 4: 25} {
		timing.Stretch(factor)
		if got := count.enough(); got != want {
			t.Errorf("at factor %g a stretch of 10s needs %d requests, want %d", factor, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for name, test := range map[string]struct {
		count Count
		want  string
		lost  bool
	}{
		"all answered":          {of(4*time.Second, many(40), many(40)), "80 sent in 4.0s: 80 answered, 0 lost", false},
		"one refused":           {of(2*time.Second, many(39), answered(503)), "40 sent in 2.0s: 39 answered, 1 lost: 1 × 503 without a body", true},
		"a redirection":         {of(2*time.Second, many(39), answered(301)), "40 sent in 2.0s: 39 answered, 1 lost: 1 × 301 without a body", true},
		"the same reason twice": {of(4*time.Second, failed(40, 2, "EOF"), failed(40, 1, "EOF")), "80 sent in 4.0s: 77 answered, 3 lost: 3 × EOF", true},
		"the frequent first":    {of(4*time.Second, failed(40, 1, "a"), failed(40, 2, "b")), "80 sent in 4.0s: 77 answered, 3 lost: 2 × b, 1 × a", true},
		"timed out":             {of(2*time.Second, failed(40, 40, "request set timed out after 10s")), "40 sent in 2.0s: 0 answered, 40 lost: 40 × request set timed out after 10s", true},
		"unmeasured":            {of(4*time.Second, many(40), errors.New("exec: broken")), "40 sent in 4.0s: 40 answered, 0 lost; of 40 requests more nobody knows: exec: broken", true},
		"nothing sent":          {of(0), "0 sent in 0.0s: 0 answered, 0 lost", true},
		"too few sent":          {of(10*time.Second, many(40)), "40 sent in 10.0s: 40 answered, 0 lost", true},
		"just enough sent":      {of(10*time.Second, many(100)), "100 sent in 10.0s: 100 answered, 0 lost", false},
	} {
		if got := test.count.String(); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, test.want)
		}
		ok, err := LoseNothing().Match(test.count)
		if err != nil || ok == test.lost {
			t.Errorf("%s: LoseNothing is %v, %v", name, ok, err)
		}
		for _, message := range []string{LoseNothing().FailureMessage(test.count), LoseNothing().NegatedFailureMessage(test.count)} {
			if !strings.Contains(message, test.want) || !strings.Contains(message, "client to http://server/") {
				t.Errorf("%s: the message hides what was seen: %s", name, message)
			}
		}
	}
	if _, err := LoseNothing().Match(echo.Answers{}); err == nil {
		t.Error("LoseNothing judges another type")
	}
}
