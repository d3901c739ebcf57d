package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// ExecError is a command that ran in a container and ended with another code than zero.
type ExecError struct {
	Namespace, Pod string
	Command        []string
	Code           int
	Stderr         string
}

// Error names the command, its exit code and the end of what it complained about.
func (e *ExecError) Error() string {
	return fmt.Sprintf("%q in pod %s/%s ended with code %d: %s",
		strings.Join(e.Command, " "), e.Namespace, e.Pod, e.Code, lastLine(e.Stderr))
}

// Exec runs a command in a container and waits for its end; an empty container name means
// the pod's default one. A command that ends with another code than zero gives an *ExecError.
func (c *Client) Exec(ctx context.Context, namespace, pod, container string, command ...string) (stdout, stderr string, err error) {
	url := c.podURL(namespace, pod, "exec").VersionedParams(&corev1.PodExecOptions{
		Container: container,
		Command:   command,
		Stdout:    true,
		Stderr:    true,
	}, scheme.ParameterCodec).URL()
	// Over a WebSocket the output and the command's end come one after the other, and a connection that
	// breaks is an error. Over SPDY each has a stream of its own: a broken connection ends them all, and
	// looks like a command that succeeded and wrote less (client-go v0.35, tools/remotecommand/v4.go).
	// Servers before 1.29 speak version 4; what version 5 adds is for commands that read an input.
	executor, err := remotecommand.NewWebSocketExecutorForProtocols(c.Config, http.MethodGet, url.String(),
		remotecommandconsts.StreamProtocolV5Name, remotecommandconsts.StreamProtocolV4Name)
	if err != nil {
		return "", "", fmt.Errorf("exec in pod %s/%s: %w", namespace, pod, err)
	}
	var out, complaints bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &complaints})
	stdout, stderr = out.String(), complaints.String()
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return stdout, stderr, nil
	case errors.As(err, &exit):
		return stdout, stderr, &ExecError{
			Namespace: namespace, Pod: pod, Command: command, Code: exit.Code, Stderr: stderr,
		}
	default:
		// The reason first: a command with a token in it is long.
		return stdout, stderr, fmt.Errorf("exec in pod %s/%s: %w: %q", namespace, pod, err, strings.Join(command, " "))
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
