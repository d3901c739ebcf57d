package istioctl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// Dashboard is an istioctl that forwards a port until it is stopped.
type Dashboard struct {
	// URL is what it told the user to open.
	URL string

	stop func() (Outcome, error)
}

// Dashboard starts it against the shared cluster and returns when it has printed an address. The spec fails if it
// ends, or prints nothing, instead. It is stopped at the spec's end if nobody did so before.
func (b Binary) Dashboard(ctx context.Context, arguments ...string) *Dashboard {
	ginkgo.GinkgoHelper()
	line := Line(b.Name, "", arguments)
	// It outlives the steps of the spec that starts it.
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), timing.Rollout())
	cmd := b.command(running, kubeconfig(), arguments)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		ginkgo.Fail(fmt.Sprintf("%s: %v", line, err))
	}
	address := make(chan string, 1)
	rest := make(chan string, 1)
	go func() { rest <- follow(stdout, address) }()
	stop := sync.OnceValues(func() (Outcome, error) {
		defer cancel()
		// As a user ends it.
		_ = cmd.Process.Signal(os.Interrupt)
		said := <-rest
		// It ends by the signal; what counts is that it did so in time.
		_ = cmd.Wait()
		return Outcome{Command: line, Stdout: said, Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}, running.Err()
	})
	ginkgo.DeferCleanup(func() { _, _ = stop() })
	evidence.Replay("%s", line)

	begun := time.Now()
	patience, done := context.WithTimeout(ctx, timing.Push())
	defer done()
	select {
	case url := <-address:
		if url == "" {
			outcome, _ := stop()
			ginkgo.Fail("it gave no address: " + outcome.String())
		}
		return &Dashboard{URL: url, stop: stop}
	case <-patience.Done():
		outcome, _ := stop()
		ginkgo.Fail(deadline.Missed(fmt.Sprintf("%q did not print an address", line), begun, outcome.said(), context.Cause(patience)).Error())
	}
	return nil
}

// Stop interrupts it, as a user does, and waits for its end.
func (d *Dashboard) Stop() (Outcome, error) { return d.stop() }

// Get asks for a path of what is behind the forwarded port.
func (d *Dashboard) Get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timing.Request())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(d.URL, "/")+path, nil)
	if err != nil {
		return "", err
	}
	evidence.Replay("curl %s%s", strings.TrimSuffix(d.URL, "/"), path)
	// A connection of its own: the next dashboard may get the same port.
	response, err := (&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: kube.KeepNone}}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s%s: %s", d.URL, path, response.Status)
	}
	return string(body), nil
}

// follow reads an output to its end and gives the first address in it, "" where it ends without one.
func follow(output io.Reader, address chan<- string) (said string) {
	var all strings.Builder
	found := false
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		all.WriteString(line)
		if url := strings.TrimSpace(line); !found && strings.HasPrefix(url, "http") {
			found = true
			address <- url
		}
		if err != nil {
			break
		}
	}
	if !found {
		address <- ""
	}
	return all.String()
}
