package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// suiteTools are the compiled suite and the Ginkgo that spreads it over processes.
type suiteTools struct{ suite, ginkgo string }

const (
	// suiteLog is what the suite and Ginkgo print, whole.
	suiteLog = "suite.log"
	// provisioningLog is the suite's, with a line for each step.
	provisioningLog = "provisioning.log"
)

// buildSuite compiles both into a folder; Go's own cache makes this quick where nothing changed.
func buildSuite(ctx context.Context, repository, bin string) (suiteTools, error) {
	tools := suiteTools{suite: filepath.Join(bin, "suite.test"), ginkgo: filepath.Join(bin, "ginkgo")}
	for _, args := range [][]string{
		{"test", "-c", "-ldflags=-s -w", "-o", tools.suite, "./suites"},
		{"build", "-o", tools.ginkgo, "github.com/onsi/ginkgo/v2/ginkgo"},
	} {
		var output bytes.Buffer
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = repository, &output, &output
		if err := cmd.Run(); err != nil {
			return tools, problem.Environment("cannot compile the suite", "go "+args[0], "mend the code or the module source",
				fmt.Errorf("%w: %s", err, lastLine(output.String())))
		}
	}
	return tools, nil
}

// lastLine is where a program that failed says why.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}

// checkFilters refuses a filter that Ginkgo would refuse after provisioning.
func checkFilters(focus, labels string) error {
	if _, err := regexp.Compile(focus); err != nil {
		return problem.Usage("malformed --focus: "+err.Error(), "qualify run", "give a regular expression")
	}
	if _, err := types.ParseLabelFilter(labels); err != nil {
		return problem.Usage("malformed --label-filter: "+strings.SplitN(err.Error(), "\n", 2)[0], "qualify run",
			"write a row's id with dots for its slashes, for example gatewayapi.http")
	}
	return nil
}

// interruptedSpec is how long an interrupted spec may take to return before cleanup begins without it.
// Upstream's tests do not watch their context.
const interruptedSpec = "10s"

// runSuite runs the specs and shows each as it ends. The error says how the processes ended, not
// what the specs found: that is in the results.
func runSuite(ctx context.Context, shown *display, job *kindconfig.Job, o runOptions, tools suiteTools, environ []string) error {
	log, err := os.Create(job.Path(suiteLog))
	if err != nil {
		return problem.Environment("cannot write", job.Path(suiteLog), "", err)
	}
	defer func() { _ = log.Close() }()
	if err := os.WriteFile(job.Path(kindconfig.EventsFile), nil, 0o644); err != nil {
		return problem.Environment("cannot write", job.Path(kindconfig.EventsFile), "", err)
	}

	// Not bound to the context, which would kill Ginkgo's own process and no other.
	cmd := exec.Command(tools.ginkgo, suiteArguments(job, o, tools.suite)...)
	// As for the node's programs (hack/images/node.go): processor time is scarcer than memory.
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = job.Directory, log, log, append(environ, "GOGC=400", "HTTP2_READ_IDLE_TIMEOUT_SECONDS=60", "HTTP2_PING_TIMEOUT_SECONDS=120")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return problem.Environment("cannot start the suite", tools.ginkgo, "", err)
	}
	release := guard(ctx, cmd, interruptGrace, shown.line)
	stopSteps := follow(job.Path(provisioningLog), stepsTo(shown.line))
	stopEvents := follow(job.Path(kindconfig.EventsFile), eventsTo(shown.event))
	err = cmd.Wait()
	release()
	// Where Ginkgo's own process was killed, the suite's would stay.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	stopSteps()
	stopEvents()
	return err
}

// suiteArguments are Ginkgo's.
func suiteArguments(job *kindconfig.Job, o runOptions, suite string) []string {
	args := []string{"run", "--no-color", "--keep-going", "--timeout=6h", "--grace-period=" + interruptedSpec,
		"--poll-progress-after=120s", "--silence-skips", fmt.Sprintf("--procs=%d", job.Procs), "--output-interceptor-mode=none"}
	args = append(args, filterArguments("--", o.focus, o.labels)...)
	return append(args, suite, "--", jobFlag(job.Path(kindconfig.JobFile)))
}

// filterArguments are the filters as flags of Ginkgo, or with its prefix of the suite itself.
func filterArguments(prefix, focus, labels string) []string {
	var args []string
	if focus != "" {
		args = append(args, prefix+"focus="+focus)
	}
	if labels != "" {
		args = append(args, prefix+"label-filter="+labels)
	}
	return args
}

// crash finds in the suite's log why it ended without results: Go says so at the start of a line.
func crash(log string) string {
	content, err := os.ReadFile(filepath.Clean(log))
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(content), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return ""
}
