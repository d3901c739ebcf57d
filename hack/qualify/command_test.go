package main

import (
	"bytes"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

// Each of these must be refused before anything is locked, built or started.
func TestBadCommandLines(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	output := t.TempDir()
	for _, c := range []struct {
		line string
		want string
	}{
		{"nosuch", `unknown command "nosuch" for "qualify" (qualify); see qualify --help`},
		{"--nosuch", "unknown flag: --nosuch (qualify); see qualify --help"},
		{"run --nosuch", "unknown flag: --nosuch (qualify run); see qualify run --help"},
		{"run extra", `unknown command "extra" for "qualify run" (qualify run)`},
		{"run --procs=many", `invalid argument "many" for "--procs"`},
		{"run --procs=0", "--procs is 0"},
		{"run --kubernetes=1.99", "1.28"},
		{"run --istio=9.9.9", "1.20.0"},
		{"run --images=stolen", `unknown value "stolen" of --images (qualify run); give one of auto, published, built`},
		{"run --engine=steam", `unknown value "steam" of --engine (qualify run); give one of auto, docker, private`},
		{"run --focus=(", "malformed --focus: "},
		{"run --label-filter=(a", "malformed --label-filter: "},
		{"run --istio=1.20", `unknown Istio version "1.20" (--istio); pinned are 1.19.0, 1.20.0, 1.20.1, 1.21.3`},
		{"run --hub=h", "a hub without a tag names no images (--hub); add --tag"},
		{"run --tag=t", "a tag without a hub names no images (--tag); add --hub"},
		{"run --istio=1.20.0 --istio-source=x", "two are named (--istio, --istio-source)"},
		{"run --istio-source=" + output, "the source has no go.mod (--istio-source " + output + ")"},
		{"run --istioctl=x", "--hub and --tag"},
		{"run --istio=1.20.0 --base=1.20", "a release is its own base"},
		{"run --subject=/nonexistent", "cannot read the subject file"},
		{"run --subject=/nonexistent --istio=1.20.0", "named by a file and by a flag (--subject, --istio)"},
		{"run --upgrade-from=1.20.1", "cannot start from 1.20.1"},
		{"run --upgrade-to=1.19.0", "cannot lead to 1.19.0"},
		{"bench --hub=h", "add --tag"},
		{"run --hub=docker.io/acme --tag=t --install=helm", "helm needs --charts"},
		{"matrix --hub=docker.io/acme --tag=t --install=helm", "helm needs --charts"},
		{"run --hub=docker.io/ACME --tag=t", "malformed image reference: "},
		{"run --hub=docker.io/acme --tag=a:b", "malformed image reference: "},
		{"images --hub=docker.io/acme --tag=a/b", "malformed image reference: "},
		{"run --nodes=Kindest/Node:v1.28.0", "malformed node image: "},
		{"run --nodes=kindest/node@sha256:12", "malformed node image: "},
		{"bench --nodes=a:b:c", "malformed node image: "},
		{"matrix --upgrade-to=9.9.9", `the release "9.9.9" is not pinned (--upgrade-to)`},
		{"run --mirror=https://m.example", "a scheme is no part of it"},
		{"run --mirror-digests=x", "digests of a mirror without a mirror"},
		{"run --registry-ca=nosuch.pem", "cannot read the certificates of registries"},
		{"images --istio=9.9.9", "unknown Istio version"},
		{"pin istio", "accepts 1 arg(s), received 0"},
		{"pin istio latest", `malformed version "latest" of Istio`},
		{"pin istio 01.20.0", `malformed version "01.20.0" of Istio`},
		{"pin istio 1.20.0 --commit=bogus", "hack/build/istio-1.20.0 is there, and nothing is overwritten by the commit bogus (--commit)"},
		{"bench --kubernetes=1.99", "unknown Kubernetes version"},
		{"bench --procs=0", "--procs is 0"},
		{"bench --known-defects=/nonexistent", "/nonexistent"},
		{"pin kubernetes 1.28.14", "Kubernetes 1.28 is pinned at 1.28.15, and nothing is overwritten"},
		{"matrix extra", `unknown command "extra" for "qualify matrix"`},
		{"matrix --kubernetes=1.25,1.99", `unknown Kubernetes version "1.99" (--kubernetes); pinned are 1.25, 1.26, 1.27, 1.28`},
		{"matrix --kubernetes=1.25,1.25.4", "Kubernetes 1.25 is asked for twice"},
		{"matrix --kubernetes=1.25,", "an empty version"},
		{"matrix --keep", "unknown flag: --keep"},
		{"matrix --procs=0", "--procs is 0"},
		{"matrix --istio=1.18.0", "pinned are 1.19.0, 1.20.0, 1.20.1"},
		{"matrix --label-filter=(a", "malformed --label-filter: "},
		{"merge", "requires at least 1 arg(s)"},
		{"merge --kubernetes=1.99 x", "unknown Kubernetes version"},
		{"merge --output=" + output + " 20260102-030405", "there is no run 20260102-030405"},
		{"merge /dev/null", "not a run's folder (/dev/null)"},
		{"merge " + output, "there are no results (" + output + "/results.json)"},
		{"diff one", "accepts 2 arg(s), received 1"},
		{"bench --images=stolen", `unknown value "stolen" of --images`},
		{"bench --focus=x", "unknown flag: --focus"},
		{"list extra", `unknown command "extra" for "qualify list"`},
		{"list --output-format=xml", `unknown value "xml" of --output-format (qualify list); give text or json`},
		{"list --focus=(", "malformed --focus: "},
		{"list --label-filter=a,&&", "malformed --label-filter: "},
		{"down extra", `unknown command "extra" for "qualify down"`},
		{"report --output=" + output, "there is no run yet (" + output + "); start one with qualify run"},
		{"report --output=" + output + " 20260102-030405", "there is no run 20260102-030405"},
		{"report /dev/null", "not a run's folder (/dev/null)"},
	} {
		cmd := newCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(strings.Fields(c.line))
		err := cmd.ExecuteContext(t.Context())
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("qualify %s: exit code %d, %v; want %d, %s", c.line, problem.ExitCode(err), err, problem.ExitUsage, c.want)
		}
		if out.Len() > 0 {
			t.Errorf("qualify %s: printed %q before it refused", c.line, out.String())
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, line := range []string{"", "--help", "run --help", "matrix --help", "merge --help", "diff --help", "list --help", "report --help", "bench --help", "down --help", "pin --help", "pin istio --help", "images --help"} {
		cmd := newCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(strings.Fields(line))
		if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("qualify %s: %v\n%s", line, err, out.String())
		}
	}
}

func TestCheckFilters(t *testing.T) {
	for _, c := range []struct {
		focus, labels string
		ok            bool
	}{
		{"", "", true}, {"Mesh.*", "gatewayapi.http || mirroring", true}, {"", benchLabels, true}, {warmUpFocus, "!invariants", true},
		{"[", "", false}, {"", "a &&", false}, {"", "/[/", false},
	} {
		err := checkFilters(c.focus, c.labels)
		if (err == nil) != c.ok || (err != nil && problem.ExitCode(err) != problem.ExitUsage) {
			t.Errorf("checkFilters(%q, %q) = %v", c.focus, c.labels, err)
		}
	}
}
