package machine

import (
	"fmt"
	"time"
)

// Lag is what a stretch of a run had to wait for its machine: means over samples, weighted by their length.
type Lag struct {
	// Seconds is how much of the stretch was measured; 0 where nothing was.
	Seconds float64 `json:"seconds"`
	// Late is the mean lateness of a ticker in milliseconds, Worst the largest.
	Late  float64 `json:"late"`
	Worst float64 `json:"worst"`
	// Runnable is the mean number of threads per core that ran or waited for a core.
	Runnable float64 `json:"runnable"`
	// Subject is the share, from 0 to 1, of the used processor time that the build under test used; Busiest names its busiest program.
	Subject float64 `json:"subject"`
	Busiest string  `json:"busiest,omitempty"`
}

// Bounds above which a machine is starved. A quiet run with five processes on two cores stays below half of each; the runs that failed for
// no fault of the product had 45 to 60 runnable threads per core.
const (
	starvedRunnable = 20.0
	starvedLate     = 25.0
	starvedWorst    = 1500.0
)

// greedy is the share of the used processor time above which the build under test is what starves the machine. In a quiet run
// istiod, agents, proxies and istioctl together use a quarter.
const greedy = 0.5

// Between returns the lag from one moment to another: that of the samples that overlap the stretch.
func Between(samples []Sample, from, to time.Time) Lag {
	var lag Lag
	most := 0.0
	for _, s := range samples {
		if !s.Overlaps(from, to) {
			continue
		}
		lag.Seconds += s.Seconds
		lag.Late += s.Late * s.Seconds
		lag.Runnable += s.Runnable * s.Seconds
		lag.Subject += s.Subject * s.Seconds
		lag.Worst = max(lag.Worst, s.Worst)
		if used := s.Subject * s.Used * s.Seconds; used > most {
			most, lag.Busiest = used, s.Busiest
		}
	}
	if lag.Seconds > 0 {
		lag.Late /= lag.Seconds
		lag.Runnable /= lag.Seconds
		lag.Subject /= lag.Seconds
	}
	return lag
}

// Starved reports whether a time-out in the stretch says nothing about the product, and why, in words for a report.
func (l Lag) Starved() (why string, starved bool) {
	switch {
	case l.Seconds == 0:
		return "", false
	case l.Runnable > starvedRunnable:
		return fmt.Sprintf("%.0f threads per core ran or waited for a core (bound %.0f)", l.Runnable, starvedRunnable), true
	case l.Late > starvedLate:
		return fmt.Sprintf("a timer fired %.0f ms late on average (bound %.0f ms)", l.Late, starvedLate), true
	case l.Worst > starvedWorst:
		return fmt.Sprintf("a timer fired %.1f s late (bound %.1f s)", l.Worst/1000, starvedWorst/1000), true
	}
	return "", false
}

// BySubject reports whether the build under test itself is what used the processors, and how, in words for a report. Then a time-out
// on a starved machine is the product's failure.
func (l Lag) BySubject() (how string, is bool) {
	if l.Subject <= greedy {
		return "", false
	}
	how = fmt.Sprintf("processes of the build under test used %.0f %% of the processor time that was used", 100*l.Subject)
	if l.Busiest != "" {
		how += ", most of it " + l.Busiest
	}
	return how, true
}
