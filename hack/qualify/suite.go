package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// suiteTools are the compiled suite and the Ginkgo that spreads it over processes.
type suiteTools struct{ suite, ginkgo string }

// suiteLog is what the suite and Ginkgo print, whole.
const suiteLog = "suite.log"

// buildSuite compiles both; Go's own cache makes this quick where nothing changed.
func buildSuite(ctx context.Context, at places) (suiteTools, error) {
	bin := filepath.Join(at.cache, "bin")
	tools := suiteTools{suite: filepath.Join(bin, "suite.test"), ginkgo: filepath.Join(bin, "ginkgo")}
	for _, args := range [][]string{
		{"test", "-c", "-o", tools.suite, "./suites"},
		{"build", "-o", tools.ginkgo, "github.com/onsi/ginkgo/v2/ginkgo"},
	} {
		var output bytes.Buffer
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = at.repository, &output, &output
		if err := cmd.Run(); err != nil {
			lines := strings.Split(strings.TrimSpace(output.String()), "\n")
			return tools, problem.Environment("cannot compile the suite", "go "+strings.Join(args[:1], " "), "mend the code or the module source", fmt.Errorf("%w: %s", err, lines[len(lines)-1]))
		}
	}
	return tools, nil
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

// interruptGrace is how long an interrupted suite may take to remove its clusters.
const interruptGrace = 2 * time.Minute

// runSuite runs the specs and shows each as it ends. The error says how the processes ended, not
// what the specs found: that is in the results.
func runSuite(ctx context.Context, out io.Writer, job *kindconfig.Job, o runOptions, tools suiteTools, running *engine.Engine) error {
	log, err := os.Create(job.Path(suiteLog))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()

	args := []string{"run", "--no-color", "--keep-going", "--timeout=2h", "--poll-progress-after=120s", "--silence-skips",
		fmt.Sprintf("--procs=%d", o.procs), "--output-interceptor-mode=none"}
	if o.focus != "" {
		args = append(args, "--focus="+o.focus)
	}
	if o.labels != "" {
		args = append(args, "--label-filter="+o.labels)
	}
	args = append(args, tools.suite, "--", "--job="+job.Path(kindconfig.JobFile))
	cmd := exec.CommandContext(ctx, tools.ginkgo, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = job.Directory, log, log, running.Environ()
	// A group of its own: Ctrl-C reaches the suite once, through the context, and all its processes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = interruptGrace

	if err := os.WriteFile(job.Path(kindconfig.EventsFile), nil, 0o644); err != nil {
		return err
	}
	stop := followEvents(job.Path(kindconfig.EventsFile), newDisplay(out))
	defer stop()
	return cmd.Run()
}
