package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
)

// A registry that is not there: the list is whole, and the command says in one line what it lacks.
func TestImagesWithoutARegistry(t *testing.T) {
	for name, args := range map[string][]string{"text": nil, "json": {"--json"}} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetArgs(append([]string{"images", "--mirror=127.0.0.1:1"}, args...))
			err := cmd.ExecuteContext(t.Context())
			if problem.ExitCode(err) != problem.ExitEnvironment || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "of 11 images are unknown") {
				t.Errorf("got %v", err)
			}
			if name == "text" {
				for _, want := range []string{
					"docker.io/istio/install-cni:1.20.0", "unknown", "subject", "127.0.0.1:1/istio/pilot:1.19.0", "kindest/node:v1.28.0", "sha256:b7a4cad1",
				} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%q is not in\n%s", want, out.String())
					}
				}
				return
			}
			var listed []images.Listed
			if err := json.Unmarshal(out.Bytes(), &listed); err != nil || len(listed) != 11 || listed[0].Role != images.RoleKubernetes || listed[0].Digest == "" {
				t.Errorf("%v: %s", err, out.String())
			}
		})
	}
}
