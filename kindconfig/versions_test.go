package kindconfig

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestPinsFitTogether(t *testing.T) {
	v, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	build := filepath.Join("..", "hack", "build")
	var wanted []string
	for _, k := range v.Kubernetes {
		wanted = append(wanted, "kubernetes-"+k.Version, "etcd-"+k.Etcd.Build, "coredns-"+k.CoreDNS.Build)
	}
	for version := range v.Istio {
		wanted = append(wanted, "istio-"+version)
	}
	wanted = append(wanted, "istio-"+v.Instruments.Echo, "echo-basic-"+v.Instruments.EchoBasic, "metallb-"+v.Instruments.MetalLB)
	for _, name := range wanted {
		for _, file := range []string{"go.mod", "go.sum"} {
			if _, err := os.Stat(filepath.Join(build, name, file)); err != nil {
				t.Errorf("pinned, but cannot be built: %v", err)
			}
		}
	}
}

// Every release may be a subject: it is built with all of its programs.
func TestEveryReleaseIsBuiltWhole(t *testing.T) {
	v, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range v.Releases() {
		content, err := os.ReadFile(filepath.Join("..", "hack", "build", "istio-"+version, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"cni/cmd/install-cni", "cni/cmd/istio-cni", "istioctl/cmd/istioctl", "pilot/cmd/pilot-agent", "pilot/cmd/pilot-discovery"} {
			if !strings.Contains(string(content), "\tistio.io/istio/"+tool+"\n") {
				t.Errorf("the pins of %s lack the tool %s", version, tool)
			}
		}
	}
}

// The suites ask the echo program by its own protocol: both are of one version.
func TestEchoIsAskedByItsOwnProtocol(t *testing.T) {
	v, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\s*istio\.io/istio (v\S+)`)
	var versions []string
	for _, file := range []string{filepath.Join("..", "go.mod"), filepath.Join("..", "hack", "build", "echo-"+v.Instruments.Echo, "go.mod")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := required.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s requires no istio.io/istio", file)
		}
		versions = append(versions, string(found[1]))
	}
	if versions[0] != versions[1] {
		t.Errorf("the suites require istio.io/istio %s, the echo program is of %s", versions[0], versions[1])
	}
}

func TestForKubernetes(t *testing.T) {
	v, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"": "1.28.15", "1.28": "1.28.15", "1.28.15": "1.28.15", "v1.28.15": "1.28.15", "1.25": "1.25.4", "1.26": "1.26.13", "1.27.4": "1.27.4",
	} {
		k, err := v.ForKubernetes(asked)
		if err != nil || k.Version != want {
			t.Errorf("ForKubernetes(%q) = %q, %v; want %q", asked, k.Version, err, want)
		}
	}
	for _, asked := range []string{"1.24", "1.28.1", "latest"} {
		_, err := v.ForKubernetes(asked)
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "1.28") || !strings.Contains(err.Error(), asked) {
			t.Errorf("ForKubernetes(%q): %v; want a usage error that names it and what exists", asked, err)
		}
	}
}

func TestForIstio(t *testing.T) {
	v, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	i, err := v.ForIstio("")
	if err != nil || i.Version != v.Defaults.Istio || i.Published.Tag == "" {
		t.Fatalf("default: %+v, %v; want %s", i, err, v.Defaults.Istio)
	}
	for _, version := range v.Releases() {
		if i, err := v.ForIstio(version); err != nil || i.Version != version {
			t.Errorf("ForIstio(%q) = %+v, %v", version, i, err)
		}
	}
	for _, asked := range []string{"1.99.0", "1.20", "1.20.0-acme.3"} {
		_, err = v.ForIstio(asked)
		if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "pinned are 1.19.0, 1.20.0, 1.20.1") ||
			!strings.Contains(err.Error(), asked) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ForIstio(%q): %v; want one line, a usage error that lists the releases", asked, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(versionsYAML)
	cases := map[string]struct{ old, new, want string }{
		"an unknown field":       {"published: {hub", "mirror: x\n    published: {hub", "mirror"},
		"a default not pinned":   {"kubernetes: \"1.28\"", "kubernetes: \"1.31\"", "1.31"},
		"another minor's patch":  {"version: 1.28.15", "version: 1.27.4", "another minor"},
		"an unknown Envoy":       {"envoy: 1.40.0", "envoy: 1.41.0", "1.41.0"},
		"a truncated hash":       {"ccf1884", "", "SHA-256"},
		"an instrument unpinned": {"metallb: 0.15.2", "metallb: \"\"", "metallb"},
		"a control not pinned":   {"control: 1.19.0", "control: 1.18.0", "1.18.0"},
		"a version no release":   {"  1.20.1:\n", "  1.20.1-rc.0:\n", "no release"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, c.old, c.new, 1)
			if changed == good {
				t.Fatalf("%q is not in versions.yaml", c.old)
			}
			_, err := Parse([]byte(changed))
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}
