// Package istioctl runs the istioctl programs of a cell as a user does, and keeps what they said: specs judge
// output and exit code, and reports show the commands.
package istioctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// Binary is one istioctl.
type Binary struct {
	// Name is how reports call it: istioctl for the subject's own.
	Name string
	// Version is the release it belongs to.
	Version string
	Path    string
	// Directory is where it runs, for arguments that name files; empty is the suite's own.
	Directory string
}

// Subject is the subject's own istioctl.
func Subject() Binary {
	cell := session.Job().Cell
	return Binary{Name: "istioctl", Version: cell.Istio, Path: cell.Istioctl}
}

// Before is the istioctl of the control release, which is of before the abilities that specs show. It is pinned apart
// from the release that upgrades start from.
func Before() Binary {
	release := session.Job().Cell.Control
	return Binary{Name: "istioctl-" + release.Istio, Version: release.Istio, Path: release.Istioctl}
}

// In is the same program run in a directory.
func (b Binary) In(directory string) Binary {
	b.Directory = directory
	return b
}

// colours match the escape sequences of colours, which istioctl 1.21 prints to files, too.
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// plain returns a text without colours.
func plain(text string) string { return colours.ReplaceAllString(text, "") }

// Outcome is what became of one run.
type Outcome struct {
	// Command is how a user runs it.
	Command        string
	Stdout, Stderr string
	Code           int
}

// String is the outcome for messages.
func (o Outcome) String() string {
	return fmt.Sprintf("exit code %d of %q, which said: %s", o.Code, o.Command, o.said())
}

// inBrief is the outcome with the line first that most often says why, its first error or else its last line: the
// command is long, and reports show the beginning of a message.
func (o Outcome) inBrief() string {
	lines := strings.Split(o.said(), "\n")
	says, why := "at last", lines[len(lines)-1]
	if i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Error") }); i >= 0 {
		says, why = "with", lines[i]
	}
	end := []rune(strings.TrimSpace(why))
	if len(end) > briefRunes {
		end = append(end[:briefRunes], '…')
	}
	return fmt.Sprintf("exit code %d, %s %q, of %q, which said: %s", o.Code, says, string(end), o.Command, o.said())
}

// briefRunes bounds the end of what was said.
const briefRunes = 100

// said is what it wrote, on either output.
func (o Outcome) said() string {
	if said := strings.TrimSpace(strings.TrimSpace(o.Stdout) + "\n" + strings.TrimSpace(o.Stderr)); said != "" {
		return said
	}
	return "nothing"
}

// Run runs it against the shared cluster, with nothing to read on its standard input. That it ends with another
// code than zero is an outcome; that it cannot be started, or does not end, fails the spec.
func (b Binary) Run(ctx context.Context, arguments ...string) Outcome {
	ginkgo.GinkgoHelper()
	return b.run(ctx, kubeconfig(), "", arguments)
}

// Answered is Run where the questions that it asks are answered with a text.
func (b Binary) Answered(ctx context.Context, answer string, arguments ...string) Outcome {
	ginkgo.GinkgoHelper()
	return b.run(ctx, kubeconfig(), answer, arguments)
}

// Offline is Run without a cluster: what would be the user's kubeconfig is the file at path.
func (b Binary) Offline(ctx context.Context, path string, arguments ...string) Outcome {
	ginkgo.GinkgoHelper()
	return b.run(ctx, path, "", arguments)
}

// kubeconfig of the shared cluster goes by environment, as a user's does: not every command of every release
// has the flag.
func kubeconfig() string { return kube.Shared().Kubeconfig }

func (b Binary) run(ctx context.Context, kubeconfig, answer string, arguments []string) Outcome {
	ginkgo.GinkgoHelper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	cmd := b.command(ctx, kubeconfig, arguments)
	cmd.Stdin = strings.NewReader(answer)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	outcome := Outcome{Command: Line(b.Name, answer, arguments), Stdout: plain(stdout.String()), Stderr: plain(stderr.String()), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && ctx.Err() != nil {
		ginkgo.Fail(deadline.Missed(fmt.Sprintf("%q did not end", outcome.Command), begun, outcome.said(), context.Cause(ctx)).Error())
	}
	if err != nil && !errors.As(err, &exit) {
		ginkgo.Fail(fmt.Sprintf("%s: %v; %s", outcome.Command, err, outcome))
	}
	evidence.Replay("%s", outcome.Command)
	return outcome
}

func (b Binary) command(ctx context.Context, kubeconfig string, arguments []string) *exec.Cmd {
	ginkgo.GinkgoHelper()
	gomega.Expect(b.Path).NotTo(gomega.BeEmpty(), "the cell has no %s", b.Name)
	cmd := exec.CommandContext(ctx, b.Path, arguments...)
	cmd.Dir = b.Directory
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.WaitDelay = time.Second
	return cmd
}

// Line is a command as a user types it.
func Line(name, answer string, arguments []string) string {
	words := []string{name}
	for _, argument := range arguments {
		words = append(words, quoted(argument))
	}
	line := strings.Join(words, " ")
	if answer != "" {
		line = "echo " + quoted(strings.TrimSpace(answer)) + " | " + line
	}
	return line
}

// quoted is a word for a shell.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
