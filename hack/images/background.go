package images

import (
	"context"
	"os/exec"
)

// backgroundKey marks a context whose builds give way to everything else on the machine.
type backgroundKey struct{}

// backgroundNiceness leaves a suite that runs beside a build the processor it would have alone.
const backgroundNiceness = "10"

// Background is a context for builds beside a running suite: what they start runs at low priority.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// polite puts nice in front of a command where the context asks for it and the machine has it.
func polite(ctx context.Context, name string, args []string) (string, []string) {
	if ctx.Value(backgroundKey{}) == nil {
		return name, args
	}
	if _, err := exec.LookPath("nice"); err != nil {
		return name, args
	}
	return "nice", append([]string{"-n", backgroundNiceness, name}, args...)
}
