package steady

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/timing"
)

// Count is what became of the requests of a stretch of time.
type Count struct {
	// Way is who asked whom.
	Way string
	// Sent is how many requests were made whose outcome is known.
	Sent int
	// Lost is how many of them got no answer or one that is no success. Reasons are why, each with its
	// number; a run gives a reason for the first that it lost only.
	Lost    int
	Reasons map[string]int
	// From and To are the times between which the runs went that lost something, as logs have them.
	From, To time.Time
	// Unmeasured is how many runs of the client ended without an account, Trouble why the first of them did.
	Unmeasured int
	Trouble    string
	// Lasted is the length of the stretch.
	Lasted time.Duration
}

// String is the count in a line: "420 sent in 21.0s: 418 answered, 2 lost between 03:57:26.4 and 03:57:28.5 UTC: 2 × EOF".
func (c Count) String() string {
	text := fmt.Sprintf("%d sent in %.1fs: %d answered, %d lost", c.Sent, c.Lasted.Seconds(), c.Sent-c.Lost, c.Lost)
	if !c.From.IsZero() {
		text += fmt.Sprintf(" between %s and %s UTC", c.From.UTC().Format(clock), c.To.UTC().Format(clock))
	}
	// The most frequent first, and of alike ones always the same.
	reasons := slices.SortedFunc(maps.Keys(c.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Reasons[b], c.Reasons[a]), cmp.Compare(a, b))
	})
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%d × %s", c.Reasons[reason], reason)
	}
	if len(reasons) > 0 {
		text += ": " + strings.Join(reasons, ", ")
	}
	if c.Unmeasured > 0 {
		text += fmt.Sprintf("; of %d requests more nobody knows: %s", c.Unmeasured*batch, c.Trouble)
	}
	return text
}

// clock is how times of losses are written.
const clock = "15:04:05.0"

// add takes in one run, and when it went.
func (c *Count) add(begun, ended time.Time, answers echo.Answers, err error) {
	if err != nil {
		if c.Unmeasured++; c.Unmeasured == 1 {
			c.Trouble = err.Error()
		}
		return
	}
	c.Sent += answers.Sent
	before := c.Lost
	if answers.Failed > 0 {
		c.lose(answers.Failed, answers.Failure)
	}
	for _, answer := range answers.All {
		if answer.Status != http.StatusOK {
			c.lose(1, answer.String())
		}
	}
	if c.Lost == before {
		return
	}
	if c.From.IsZero() || begun.Before(c.From) {
		c.From = begun
	}
	if ended.After(c.To) {
		c.To = ended
	}
}

func (c *Count) lose(number int, why string) {
	if c.Reasons == nil {
		c.Reasons = map[string]int{}
	}
	c.Lost += number
	c.Reasons[why] += number
}

// enough is the number of requests without which a stretch shows nothing: half of what the rate makes of it, and less on a slow
// machine, which begins fewer runs.
func (c Count) enough() int {
	return max(1, int(c.Lasted.Seconds()*PerSecond/2/timing.Factor()))
}

// LoseNothing holds for a Count of enough requests, judged by the rate and the time they were sent in, all of
// which were answered with 200.
func LoseNothing() types.GomegaMatcher { return nothingLost{} }

type nothingLost struct{}

// Match implements gomega's matcher.
func (nothingLost) Match(actual any) (bool, error) {
	count, ok := actual.(Count)
	if !ok {
		return false, fmt.Errorf("LoseNothing is for a steady.Count, not a %T", actual)
	}
	return count.Sent >= count.enough() && count.Lost == 0 && count.Unmeasured == 0, nil
}

// FailureMessage implements gomega's matcher.
func (nothingLost) FailureMessage(actual any) string { return actual.(Count).judged("all") }

// NegatedFailureMessage implements gomega's matcher.
func (nothingLost) NegatedFailureMessage(actual any) string { return actual.(Count).judged("not all") }

func (c Count) judged(want string) string {
	return fmt.Sprintf("Expected %s of at least %d requests, %s, to be answered with 200, last seen:\n    %s", want, c.enough(), c.Way, c)
}

// LoseEverything holds for a Count of enough requests, as LoseNothing counts them, none of which was answered with 200.
func LoseEverything() types.GomegaMatcher { return everythingLost{} }

type everythingLost struct{}

// Match implements gomega's matcher.
func (everythingLost) Match(actual any) (bool, error) {
	count, ok := actual.(Count)
	if !ok {
		return false, fmt.Errorf("LoseEverything is for a steady.Count, not a %T", actual)
	}
	return count.Sent >= count.enough() && count.Lost == count.Sent && count.Unmeasured == 0, nil
}

// FailureMessage implements gomega's matcher.
func (everythingLost) FailureMessage(actual any) string { return actual.(Count).judged("none") }

// NegatedFailureMessage implements gomega's matcher.
func (everythingLost) NegatedFailureMessage(actual any) string { return actual.(Count).judged("some") }
