package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"mesh-conformance/hack/problem"
)

// shimPackage is the runtime shim's main package.
const shimPackage = "mesh-conformance/hack/engine/capshim"

// compileShim builds the shim from a folder inside this repository. Go leaves the file alone
// when it is up to date.
func compileShim(ctx context.Context, source, target string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", target, shimPackage)
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	said, err := command.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return problem.Environment("cannot build the container runtime's shim", shimPackage,
		"run from the repository, with Go on the path", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said))))
}
