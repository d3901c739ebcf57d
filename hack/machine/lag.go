package machine

import (
	"fmt"
	"time"
)

// MostFactor is the largest factor by which time limits are stretched: limits of waits are minutes, and ten times that is
// enough to see that nothing moves.
const MostFactor = 10

// Lag is what a stretch of a run had to wait for its machine: means over samples, weighted by their length.
type Lag struct {
	// Seconds is how much of the stretch was measured; 0 where nothing was.
	Seconds float64 `json:"seconds"`
	// Late is the lateness of a ticker in milliseconds, the mean of the samples' medians; Worst is the largest.
	Late  float64 `json:"late"`
	Worst float64 `json:"worst"`
	// Runnable is the mean number of threads per core that ran or waited for a core.
	Runnable float64 `json:"runnable"`
	// Used is how many cores the run's clusters used on average. Subject is the share of that, from 0 to 1, that the
	// build under test used; Busiest names its busiest program.
	Used    float64 `json:"used"`
	Subject float64 `json:"subject"`
	Busiest string  `json:"busiest,omitempty"`
	// Factor is by how much time limits were stretched when the stretch began; at least 1.
	Factor float64 `json:"factor"`
}

const (
	// usualRunnable is the number of runnable threads per core that a quiet run with five processes on two cores does
	// not exceed for long: its mean is 10 to 20, and for some seconds it is 45. Runs that failed for no fault of the
	// product had 45 to 60 throughout.
	usualRunnable = 30.0
	// usualLate is such a run's lateness in milliseconds at most, and latePerFactor what each further multiple of
	// slowness adds: under a quota of half a core a ticker of 50 ms is 35 ms late, and provisioning takes four times as
	// long.
	usualLate, latePerFactor = 5.0, 10.0
	// tolerance is how many times slower than its limits allow for a machine may be before a time-out says nothing.
	tolerance = 1.5
)

// greedy is the share of the used processor time above which the build under test is what starves the machine, where
// the clusters use at least a fifth of a core. In a quiet run istiod, agents and proxies together use a quarter, and
// at most two fifths for half a minute.
const (
	greedy    = 0.5
	leastUsed = 0.2
)

// Between returns the lag from one moment to another: that of the samples that overlap the stretch.
func Between(samples []Sample, from, to time.Time) Lag {
	var lag Lag
	most := 0.0
	for _, s := range samples {
		if !s.Overlaps(from, to) {
			continue
		}
		if lag.Seconds == 0 {
			lag.Factor = s.Factor
		}
		lag.Seconds += s.Seconds
		lag.Late += s.Late * s.Seconds
		lag.Runnable += s.Runnable * s.Seconds
		lag.Used += s.Used * s.Seconds
		lag.Subject += s.Subject * s.Used * s.Seconds
		lag.Worst = max(lag.Worst, s.Worst)
		if used := s.Subject * s.Used * s.Seconds; used > most {
			most, lag.Busiest = used, s.Busiest
		}
	}
	if lag.Seconds > 0 {
		lag.Late /= lag.Seconds
		lag.Runnable /= lag.Seconds
		if lag.Used > 0 {
			lag.Subject /= lag.Used
		}
		lag.Used /= lag.Seconds
	}
	lag.Factor = max(lag.Factor, 1)
	return lag
}

// Load is how busy the machine is in comparison with a quiet run of five processes on two cores, whose load stays
// below 1.
func (l Lag) Load() float64 {
	return max(0, l.Runnable/usualRunnable, 1+(l.Late-usualLate)/latePerFactor)
}

// Slowness estimates how many times longer the machine takes than in a quiet run; at least 1.
func (l Lag) Slowness() float64 { return max(1, l.Load()) }

// Starved reports whether a wait that ran out in the stretch says nothing about the product, because the machine was
// slower than the wait's limit allowed for. why says so in words for a report.
func (l Lag) Starved() (why string, starved bool) {
	if l.Seconds == 0 || l.Slowness() <= tolerance*l.Factor {
		return "", false
	}
	return fmt.Sprintf("it was %.1f times slower than a quiet machine, and time limits allowed for %.1f times "+
		"(%.0f threads per core ran or waited for a core, and a timer fired %.0f ms late)",
		l.Slowness(), l.Factor, l.Runnable, l.Late), true
}

// BySubject reports whether the build under test itself is what used the processors, and how, in words for a report.
// Then a time-out on a starved machine is the product's failure.
func (l Lag) BySubject() (how string, is bool) {
	if l.Subject <= greedy || l.Used < leastUsed {
		return "", false
	}
	how = fmt.Sprintf("processes of the build under test used %.0f %% of the processor time that the clusters used",
		100*l.Subject)
	if l.Busiest != "" {
		how += ", most of it " + l.Busiest
	}
	return how, true
}
