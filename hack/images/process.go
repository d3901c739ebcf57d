package images

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a cancelled child may take to end in order.
const stopPatience = 10 * time.Second

// command prepares a child whose output goes to log, in the control group of builds if the context has one. A
// cancelled child takes its children with it.
func command(ctx context.Context, log io.Writer, name string, args ...string) *exec.Cmd {
	name, args = placed(ctx, name, args)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	ownGroup(cmd)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopPatience
	return cmd
}

// ownGroup gives a child a process group of its own, so that Ctrl-C reaches it through the context alone.
// The kernel ends it should this process be killed.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// run runs a prepared child. A child that failed, or was cancelled, leaves none of its group behind.
func run(cmd *exec.Cmd) error {
	// The death signal is sent when the thread that started the child ends, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if err != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	return err
}

// lastLine is the last line of output that is not blank.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// firstLine is the first line of output that holds one of the signs, or else the last line: what fails
// first is the cause of what is said later.
func firstLine(output string, signs ...string) string {
	for line := range strings.Lines(output) {
		for _, sign := range signs {
			if strings.Contains(line, sign) {
				return strings.TrimSpace(line)
			}
		}
	}
	return lastLine(output)
}
