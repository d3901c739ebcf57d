package reports

import (
	"fmt"
	"strings"
)

// because says in words why a spec is undecided.
func (d Doubt) because() string {
	switch d {
	case DoubtStarved:
		return "time ran out while the machine was starved"
	case DoubtConnection:
		return "the suite lost its connection to the API server or the container engine"
	case DoubtRestart:
		return "the Kubernetes control plane had restarted"
	}
	return "the run did not decide them"
}

// remedy is what a user does about a run that has undecided specs.
func remedy(r *Results) string {
	counts := doubtsOf(r)
	if counts[DoubtStarved]+counts[DoubtRestart] == 0 {
		return "run again"
	}
	return "run again on a less busy machine"
}

// undecidedLine says how many specs are undecided, why, and what was the worst lag among those that ran out of time.
func undecidedLine(r *Results) string {
	counts := doubtsOf(r)
	var reasons []string
	total := 0
	for _, doubt := range append(doubts, "") {
		if n := counts[doubt]; n > 0 {
			total += n
			reasons = append(reasons, doubt.because())
		}
	}
	line := areUndecided(total)
	if len(reasons) == 1 {
		line += ", because " + reasons[0]
	} else {
		var parts []string
		for _, doubt := range append(doubts, "") {
			if n := counts[doubt]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d because %s", n, doubt.because()))
			}
		}
		line += ": " + enumerate(parts)
	}
	if worst := worstLag(r); worst != "" {
		line += " (at worst " + worst + ")"
	}
	return line
}

func areUndecided(n int) string {
	if n == 1 {
		return "1 spec is undecided"
	}
	return plural(n, "spec") + " are undecided"
}

// doubtsOf counts the undecided specs by their doubts.
func doubtsOf(r *Results) map[Doubt]int {
	counts := map[Doubt]int{}
	for _, spec := range r.Specs {
		if spec.State == StateUndecided {
			counts[spec.Doubt]++
		}
	}
	return counts
}

// worstLag names the largest lag among the specs that are undecided because the machine was starved; empty where none
// was measured.
func worstLag(r *Results) string {
	var worst Lag
	measured := false
	for _, spec := range r.Specs {
		if spec.State == StateUndecided && spec.Doubt == DoubtStarved && spec.Lag != nil {
			measured = true
			worst.Runnable = max(worst.Runnable, spec.Lag.Runnable)
			worst.Worst = max(worst.Worst, spec.Lag.Worst)
		}
	}
	if !measured {
		return ""
	}
	return fmt.Sprintf("%s runnable threads per core, a timer %s late", figure(worst.Runnable), duration(worst.Worst/1000))
}

// figure is a number for a reader: one digit after the point below 10, none above.
func figure(number float64) string {
	if number < 9.95 {
		return fmt.Sprintf("%.1f", number)
	}
	return fmt.Sprintf("%.0f", number)
}

// words describes the machine of a whole run on one line.
func (m Machine) words() string {
	line := fmt.Sprintf("%s runnable threads per core on average; a timer was %s late on average, %s at worst",
		figure(m.Runnable), duration(m.Late/1000), duration(m.Worst/1000))
	switch {
	case m.Widest == 0:
	case m.Narrowest == m.Widest:
		line += fmt.Sprintf("; %s ran specs at once", processes(m.Widest))
	default:
		line += fmt.Sprintf("; %d to %s ran specs at once", m.Narrowest, processes(m.Widest))
	}
	return line
}

// machineOf describes the lag of the machine while a failed or undecided spec ran, and how long the spec waited at
// the gate; empty for every other spec, because its outcome does not depend on the lag.
func machineOf(spec Spec) string {
	if spec.State != StateFailed && spec.State != StateUndecided {
		return ""
	}
	var parts []string
	if lag := spec.Lag; lag != nil {
		parts = append(parts, figure(lag.Runnable)+" runnable threads per core",
			fmt.Sprintf("a timer was %s late on average, %s at worst", duration(lag.Late/1000), duration(lag.Worst/1000)))
		used := fmt.Sprintf("the build under test used %.0f %% of the used processor time", 100*lag.Subject)
		if lag.Busiest != "" {
			used += fmt.Sprintf(" (most: %s)", lag.Busiest)
		}
		parts = append(parts, used)
	}
	if spec.Waited > 0 {
		parts = append(parts, "the spec waited "+duration(spec.Waited)+" for the gate before it began")
	}
	return strings.Join(parts, "; ")
}
