package images

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"mesh-conformance/hack/problem"
)

// versionTimeout bounds how long a program may take to report its version.
const versionTimeout = 30 * time.Second

// versionOf runs a program of Istio on this machine and returns the version that it reports of itself. The error is of
// usage: where names what the user named.
func versionOf(ctx context.Context, program, where string, arguments ...string) (string, error) {
	bounded, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(bounded, program, append([]string{"version", "--output=json"}, arguments...)...)
	// The empty environment keeps `version` from reaching the user's cluster.
	cmd.Env = []string{"PATH=/nonexistent", "HOME=/nonexistent", "KUBECONFIG=/nonexistent"}
	cmd.WaitDelay = time.Second
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		said := lastLine(complaints.String())
		if said != "" {
			said = ": " + said
		}
		return "", problem.Usage(fmt.Sprintf("%s does not execute: %v%s", program, err, said),
			where, "name a program of Istio for this machine")
	}
	var reported struct {
		Client *struct {
			Version string `json:"version"`
		} `json:"clientVersion"`
	}
	if err := json.Unmarshal(out.Bytes(), &reported); err != nil || reported.Client == nil || reported.Client.Version == "" {
		return "", problem.Usage(program+" does not report a version of Istio", where, "name a program of Istio")
	}
	return reported.Client.Version, nil
}

// pilotVersion returns the version that a pilot-discovery reports of itself.
func pilotVersion(ctx context.Context, program, where string) (string, error) {
	return versionOf(ctx, program, where)
}

// istioctlVersion returns the version that an istioctl reports of itself.
func istioctlVersion(ctx context.Context, program, where string) (string, error) {
	return versionOf(ctx, program, where, "--remote=false")
}
