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

// Private images: --base states what upgrades start from and lead to, and without it one line says what the list lacks.
func TestImagesOfAPrivateBuild(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		want   []string
		left   string
		listed int
	}{
		"with a base":       {[]string{"--base=1.20"}, []string{"istio/pilot:1.19.0", "istio/pilot:1.20.1", "acme/pilot:t"}, "", 11},
		"with a late base":  {[]string{"--base=1.20.8"}, []string{"istio/pilot:1.21.3"}, "", 11},
		"without":           {nil, []string{"acme/istioctl:t"}, "of the release that upgrades start from and of the release that they lead to", 8},
		"with one of them":  {[]string{"--upgrade-to=1.20.1"}, []string{"istio/pilot:1.20.1"}, "of the release that upgrades start from, because", 11},
		"with both of them": {[]string{"--upgrade-to=1.21.3", "--upgrade-from=1.20.1"}, []string{"istio/pilot:1.21.3", "istio/pilot:1.20.1"}, "", 14},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			var out, note bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(&note)
			cmd.SetArgs(append([]string{"images", "--json", "--mirror=127.0.0.1:1", "--hub=docker.io/acme", "--tag=t"}, c.args...))
			if err := cmd.ExecuteContext(t.Context()); problem.ExitCode(err) != problem.ExitEnvironment {
				t.Fatal(err)
			}
			var listed []images.Listed
			if err := json.Unmarshal(out.Bytes(), &listed); err != nil || len(listed) != c.listed {
				t.Errorf("%d images, %v", len(listed), err)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%s is not in\n%s", want, out.String())
				}
			}
			if said := note.String(); !strings.Contains(said, c.left) || (said == "") != (c.left == "") || strings.Count(said, "\n") > 1 {
				t.Errorf("said %q, want %q", said, c.left)
			}
		})
	}
}
