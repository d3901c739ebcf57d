package kubernetes

import (
	"regexp"
	"strings"
)

var (
	complaining = regexp.MustCompile(`(?i)warn|error|not supported|unsupported|deprecated|minimum supported`)
	// ofTheClock is what istioctl says of its own release once some time has passed, on any cluster.
	ofTheClock = regexp.MustCompile(`^WARNING: Istio \S+ may be out of support \(EOL\) already`)
)

// complaints are the lines in which istioctl is not content, but for its own age.
func complaints(said string) []string {
	found := []string{}
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if complaining.MatchString(line) && !ofTheClock.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

var failedWatch = regexp.MustCompile(`(?i)failed to (watch|list)|watch error`)

// failedWatches are the lines of istiod's log in which a watch, or the list before it, failed.
func failedWatches(log string) []string {
	found := []string{}
	for line := range strings.Lines(log) {
		if failedWatch.MatchString(line) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// countedErrors are the lines of istiod's metrics that count failed watches: before the first there is none.
func countedErrors(metrics string) []string {
	found := []string{}
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "controller_sync_errors_total{") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
