package echo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// atOnce is how many requests of a set the echo client has under way at the same time.
const atOnce = 20

// Send makes a set of requests to url from the workload's pod, through its sidecar where it has
// one. Requests that fail are an outcome, not an error: see Answers.Failed.
func (w *Workload) Send(ctx context.Context, url string, count int) (Answers, error) {
	command := sendCommand(url, count)
	stdout, stderr, err := w.cluster.Exec(ctx, w.Namespace, w.Pod.Name, Container, command...)
	answers := Answers{Way: fmt.Sprintf("%s.%s to %s", w.Name, w.Namespace, url), Sent: count}
	var exit *kube.ExecError
	if errors.As(err, &exit) {
		if answers.Failure = failure(stdout + "\n" + stderr); answers.Failure != "" {
			answers.Failed = failed(answers.Failure, count)
			return answers, nil
		}
	}
	if err != nil {
		return Answers{}, fmt.Errorf("send %d requests to %s: %w", count, url, err)
	}
	if answers.All, err = parseOutput(stdout); err != nil {
		return Answers{}, err
	}
	return answers, nil
}

// Replay records how a user makes the same requests by hand.
func (w *Workload) Replay(url string, count int) {
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- %s",
		w.Namespace, w.Name, Container, strings.Join(sendCommand(url, count), " "))
}

func sendCommand(url string, count int) []string {
	// The client's timeout is for the whole set.
	timeout := timing.Request * time.Duration(1+count/atOnce)
	return []string{"/usr/local/bin/client", fmt.Sprintf("--count=%d", count), fmt.Sprintf("--timeout=%s", timeout), url}
}

// failure finds in the echo client's log why its set of requests failed, "" where it does not say:
// the client itself is then what failed.
func failure(output string) string {
	for line := range strings.Lines(output) {
		_, message, fatal := strings.Cut(line, "\tfatal\t")
		message, ofRequests := strings.CutPrefix(message, "Error ")
		if fatal && ofRequests {
			return strings.TrimSpace(message)
		}
	}
	return ""
}

var failedOf = regexp.MustCompile(`^(\d+)/\d+ requests had errors`)

// failed is how many requests of a set the echo client counts as failed. Where it does not count,
// because its time was up, none is known to have been answered.
func failed(failure string, sent int) int {
	if found := failedOf.FindStringSubmatch(failure); found != nil {
		if number, err := strconv.Atoi(found[1]); err == nil {
			return number
		}
	}
	return sent
}
