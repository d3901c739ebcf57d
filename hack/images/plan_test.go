package images

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func newPlanner(t *testing.T) (*Builder, kindconfig.Kubernetes, kindconfig.Subject) {
	t.Helper()
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{
		options: Options{Repository: filepath.Join("..", ".."), Source: SourceBuilt, NodeSource: SourceBuilt}, versions: versions,
		store: store{dir: t.TempDir()}, goVersion: "go1.26.0", goarch: "amd64",
	}
	kubernetes, err := versions.ForKubernetes("1.28")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := versions.Subject(kindconfig.SubjectFile{Istio: "1.20.0"})
	if err != nil {
		t.Fatal(err)
	}
	return b, kubernetes, subject
}

func TestBuiltPlan(t *testing.T) {
	b, kubernetes, subject := newPlanner(t)
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"image-pilot", "image-proxyv2", "image-install-cni", "image-kube-apiserver", "image-kube-controller-manager", "image-kube-scheduler", "image-kube-proxy",
		"image-etcd", "image-coredns", "image-pause", "image-pilot-1.19.0", "image-proxyv2-1.19.0", "image-pilot-1.20.1", "image-proxyv2-1.20.1",
		"image-metallb-controller", "image-metallb-speaker", "image-echo-basic", "image-echo", "image-wasmserver", "image-sccadmission",
	}
	var got []string
	for _, a := range p.images {
		got = append(got, a.name)
		if !slices.Contains(p.node.needs, a) {
			t.Errorf("the node does not carry %s", a.name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("images %q\nwant   %q", got, want)
	}
	if p.archive != nil || p.cell.Source != SourceBuilt || p.cell.NodeSource != SourceBuilt || p.cell.ProxyFlavour != "upstream" || p.cell.ProxyVersion != b.versions.Istio["1.20.0"].Envoy || p.cell.Tag != "1.20.0" {
		t.Errorf("cell %+v, archive %v", p.cell, p.archive)
	}

	// What an image is called and for is part of its key.
	inputs := map[string]string{}
	for _, a := range p.images {
		inputs[a.name] = strings.Join(a.inputs, "\n")
	}
	for name, parts := range map[string][]string{
		"image-pilot":           {"[" + p.cell.Hub + "/pilot:1.20.0]", RoleSubject, `"User":"1337:1337"`},
		"image-proxyv2":         {"[" + p.cell.Hub + "/proxyv2:1.20.0]", RoleSubject},
		"image-kube-apiserver":  {"[registry.k8s.io/kube-apiserver:v1.28.15]", RoleKubernetes},
		"image-kube-proxy":      {"[registry.k8s.io/kube-proxy:v1.28.15]", RoleKubernetes},
		"image-etcd":            {"[registry.k8s.io/etcd:3.5.15-0]", RoleKubernetes},
		"image-coredns":         {"[registry.k8s.io/coredns/coredns:v1.10.1]", RoleKubernetes},
		"image-pause":           {"[registry.k8s.io/pause:3.9]", RoleKubernetes},
		"image-metallb-speaker": {"[quay.io/metallb/speaker:v0.15.2]", RoleInstrument},
		"image-echo-basic":      {"localhost/mesh-conformance/echo-basic:local gcr.io/", RoleInstrument},
		"image-echo":            {"localhost/mesh-conformance/echo:local gcr.io/", "/echo-advanced:", RoleInstrument},
		"image-wasmserver":      {"[localhost/mesh-conformance/wasmserver:local]", RoleInstrument},
		"image-sccadmission":    {"[localhost/mesh-conformance/sccadmission:local]", RoleInstrument, `"User":"65535:65535"`},
	} {
		for _, part := range parts {
			if !strings.Contains(inputs[name], part) {
				t.Errorf("%s is made of %q, which lacks %q", name, inputs[name], part)
			}
		}
	}

	again, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil || again.node.key() != p.node.key() {
		t.Errorf("the same plan has another key, %v", err)
	}
}

func TestPlanNamesAreUnique(t *testing.T) {
	b, kubernetes, subject := newPlanner(t)
	p, err := b.plan(t.Context(), kubernetes, subject)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range b.store.lacking(t.Context(), p.wanted()) {
		if names[a.name] || a.expect == 0 {
			t.Errorf("%s: taken %v, expected time %s", a.name, names[a.name], a.expect)
		}
		names[a.name] = true
	}
}

func TestPlanFollowsThePins(t *testing.T) {
	key := func(change func(k *kindconfig.Kubernetes, b *Builder)) string {
		b, kubernetes, subject := newPlanner(t)
		change(&kubernetes, b)
		p, err := b.plan(t.Context(), kubernetes, subject)
		if err != nil {
			t.Fatal(err)
		}
		return p.node.key()
	}
	same := key(func(*kindconfig.Kubernetes, *Builder) {})
	for name, change := range map[string]func(k *kindconfig.Kubernetes, b *Builder){
		"the pause image's tag": func(k *kindconfig.Kubernetes, _ *Builder) { k.Pause = "3.10" },
		"the etcd image's tag":  func(k *kindconfig.Kubernetes, _ *Builder) { k.Etcd.Tag = "3.5.16-0" },
		"the Go version":        func(_ *kindconfig.Kubernetes, b *Builder) { b.goVersion = "go1.26.1" },
		"Debian's release, by pin": func(_ *kindconfig.Kubernetes, b *Builder) {
			v := *b.versions
			v.Instruments.Debian = "trixie"
			b.versions = &v
		},
	} {
		if key(change) == same {
			t.Errorf("%s does not change the node image", name)
		}
	}
	if published := key(func(k *kindconfig.Kubernetes, _ *Builder) { k.Published = "other" }); published != same {
		t.Error("the published node changes the built one")
	}
}

func TestPlanOfWhatIsNotPinned(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *Builder, k *kindconfig.Kubernetes, s *kindconfig.Subject)
		want   string
	}{
		"a Kubernetes without modules": {func(_ *Builder, k *kindconfig.Kubernetes, _ *kindconfig.Subject) { k.Version = "1.28.99" }, "kubernetes 1.28.99"},
		"an Istio without modules":     {func(_ *Builder, _ *kindconfig.Kubernetes, s *kindconfig.Subject) { s.Version = "1.99.0" }, "istio 1.99.0"},
		"an etcd without modules":      {func(_ *Builder, k *kindconfig.Kubernetes, _ *kindconfig.Subject) { k.Etcd.Build = "9" }, "etcd 9"},
		"an Envoy without a wheel": {func(b *Builder, _ *kindconfig.Kubernetes, _ *kindconfig.Subject) {
			pins := b.versions.Istio["1.20.0"]
			pins.Envoy = "0.1"
			b.versions.Istio["1.20.0"] = pins
		}, "no Envoy 0.1"},
		"an architecture of no wheel": {func(b *Builder, _ *kindconfig.Kubernetes, _ *kindconfig.Subject) { b.goarch = "s390x" }, "s390x"},
	} {
		t.Run(name, func(t *testing.T) {
			b, kubernetes, subject := newPlanner(t)
			c.change(b, &kubernetes, &subject)
			_, err := b.plan(t.Context(), kubernetes, subject)
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line of usage with %q", err, c.want)
			}
		})
	}
}

func TestStamps(t *testing.T) {
	kubernetes, istio := strings.Join(kubernetesStamp("1.28.15"), " "), strings.Join(istioStamp("1.20.0"), " ")
	for _, want := range []string{"component-base/version.gitVersion=v1.28.15", "component-base/version.gitMajor=1 ", "client-go/pkg/version.gitMinor=28 "} {
		if !strings.Contains(kubernetes, want) {
			t.Errorf("%q lacks %q", kubernetes, want)
		}
	}
	for _, want := range []string{"version.buildVersion=1.20.0", "version.buildTag=1.20.0", "version.buildHub=" + subjectHub, "version.buildStatus=Clean"} {
		if !strings.Contains(istio, want) {
			t.Errorf("%q lacks %q", istio, want)
		}
	}
}

func TestConformanceReferences(t *testing.T) {
	references, err := conformanceReferences()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(references) || len(slices.Compact(slices.Clone(references))) != len(references) {
		t.Errorf("%q is not sorted and unique", references)
	}
	// Every image of upstream's manifests must be one that is built here.
	covered := append(matching(references, "/echo-basic:"), matching(references, "/echo-advanced:")...)
	for _, reference := range references {
		if !slices.Contains(covered, reference) {
			t.Errorf("nothing is built for %s", reference)
		}
	}
	if len(matching(references, "/echo-basic:")) == 0 || len(matching(references, "/nothing:")) != 0 {
		t.Errorf("matching in %q", references)
	}
}
