package images

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/gateway-api/conformance"

	"mesh-conformance/kindconfig"
)

// Hubs of what is built here. The host part resolves nowhere: such an image is in the node or it is missing.
const (
	subjectHub    = "localhost/mesh-conformance/istio"
	instrumentHub = "localhost/mesh-conformance"
	// systemHub is where kubeadm expects Kubernetes' own images.
	systemHub = "registry.k8s.io"
	// metallbHub is what MetalLB's manifest names.
	metallbHub = "quay.io/metallb"
)

// plan is what one cell needs.
type plan struct {
	kubernetes   kindconfig.Kubernetes
	istio        kindconfig.Istio
	node         *artifact
	istioctl     *artifact
	metallbFiles *artifact
	gatewayCRDs  *artifact
	// images in the order of the reports.
	images []*artifact
}

// direct are the artifacts the suite uses itself, besides the node image.
func (p *plan) direct() []*artifact {
	return append([]*artifact{p.istioctl, p.metallbFiles, p.gatewayCRDs}, p.images...)
}

// planner collects the first error, so that the plan reads as a list.
type planner struct {
	b   *Builder
	err error
}

func (p *planner) program(name, version string, expect time.Duration, ldflags ...string) *artifact {
	a, err := p.b.goProgram(program{name: name, version: version, ldflags: ldflags, expect: expect})
	return p.keep(a, err)
}

func (p *planner) files(m moduleFiles) *artifact {
	a, err := p.b.moduleFiles(m)
	return p.keep(a, err)
}

func (p *planner) keep(a *artifact, err error) *artifact {
	if p.err == nil && err != nil {
		p.err = err
	}
	if a == nil {
		return &artifact{}
	}
	return a
}

// stamp sets Istio's version as its releases do (istio.io/istio/pkg/version; common/scripts/report_build_info.sh).
func istioStamp(version string) []string {
	pkg := "istio.io/istio/pkg/version"
	return []string{
		"-X", pkg + ".buildVersion=" + version, "-X", pkg + ".buildTag=" + version,
		"-X", pkg + ".buildHub=" + subjectHub, "-X", pkg + ".buildStatus=Clean",
	}
}

// kubernetesStamp sets the version that the API server reports (k8s.io/component-base/version).
func kubernetesStamp(version string) []string {
	parts := strings.SplitN(version, ".", 3)
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags, "-X", pkg+".gitVersion=v"+version, "-X", pkg+".gitMajor="+parts[0], "-X", pkg+".gitMinor="+parts[1],
			"-X", pkg+".gitTreeState=clean")
	}
	return flags
}

// plan lists the artifacts of a cell; nothing is built yet. Long builds come first.
func (b *Builder) plan(kubernetes kindconfig.Kubernetes, istio kindconfig.Istio) (*plan, error) {
	p := &planner{b: b}
	instruments := b.versions.Instruments

	kube := p.program("kubernetes", kubernetes.Version, 5*time.Minute, kubernetesStamp(kubernetes.Version)...)
	subject := p.program("istio", istio.Version, 4*time.Minute, istioStamp(istio.Version)...)
	echo := subject
	if istio.Version != instruments.Echo {
		echo = p.program("istio", instruments.Echo, 4*time.Minute, istioStamp(instruments.Echo)...)
	}
	base := b.rootfs("iptables", iptablesPackages, useLegacyIptables)
	nodeRoot := b.rootfs("node", nodePackages, trimUnits...)
	etcd := p.program("etcd", kubernetes.Etcd.Build, 15*time.Second)
	coredns := p.program("coredns", kubernetes.CoreDNS.Build, time.Minute)
	metallb := p.program("metallb", instruments.MetalLB, time.Minute)
	echoBasic := p.program("echo-basic", instruments.EchoBasic, 10*time.Second)
	pause, err := b.localProgram("pause", "hack/images/pause")
	p.keep(pause, err)
	envoy, err := b.envoy(b.versions.ForEnvoy(istio.Envoy))
	p.keep(envoy, err)

	istioBuild := filepath.Join("hack", "build", "istio-"+istio.Version)
	templates := p.files(moduleFiles{
		name: "istio-bootstrap-" + istio.Version, modDir: istioBuild, module: "istio.io/istio",
		paths: []string{"tools/packaging/common/envoy_bootstrap.json", "tools/packaging/common/gcp_envoy_bootstrap.json"},
	})
	echoCerts := p.files(moduleFiles{
		name: "istio-echo-certs-" + instruments.Echo, modDir: filepath.Join("hack", "build", "istio-"+instruments.Echo), module: "istio.io/istio",
		paths: []string{"tests/testdata/certs/cert.crt", "tests/testdata/certs/cert.key"},
	})
	metallbFiles := p.files(moduleFiles{
		name: "metallb-manifest-" + instruments.MetalLB, modDir: filepath.Join("hack", "build", "metallb-"+instruments.MetalLB),
		module: "go.universe.tf/metallb", paths: []string{"config/manifests/metallb-native.yaml"},
	})
	gatewayCRDs := p.files(moduleFiles{
		name: "gateway-api-crds", modDir: ".", module: "sigs.k8s.io/gateway-api", paths: []string{"config/crd/experimental"},
	})
	kindFiles := p.files(moduleFiles{name: "kind-files", modDir: ".", module: "sigs.k8s.io/kind", paths: []string{"images/base/files"}})
	if p.err != nil {
		return nil, p.err
	}

	conformanceImages, err := conformanceReferences()
	if err != nil {
		return nil, err
	}
	result := &plan{kubernetes: kubernetes, istio: istio, istioctl: subject, metallbFiles: metallbFiles, gatewayCRDs: gatewayCRDs}
	add := func(spec imageSpec) { result.images = append(result.images, b.image(spec)) }

	add(imageSpec{
		name: "pilot", role: RoleSubject, references: []string{subjectHub + "/pilot:" + istio.Version}, base: base,
		needs:  []*artifact{subject, templates},
		config: v1.Config{User: "1337:1337", Entrypoint: []string{"/usr/local/bin/pilot-discovery"}, Env: []string{defaultPath}},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(subject, "pilot-discovery", "")), nil
		},
	})
	add(imageSpec{
		name: "proxyv2", role: RoleSubject, references: []string{subjectHub + "/proxyv2:" + istio.Version}, base: base,
		needs:  []*artifact{subject, templates, envoy},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/pilot-agent"}, Env: []string{defaultPath}, WorkingDir: "/"},
		files: func() ([]file, error) {
			return append(b.bootstrapTemplates(templates), b.executable(subject, "pilot-agent", ""), b.executable(envoy, "envoy", "")), nil
		},
	})
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		spec := b.single(name, RoleKubernetes, systemHub+"/"+name+":v"+kubernetes.Version, kube, name)
		if name == "kube-proxy" {
			spec.base = base
		}
		add(spec)
	}
	etcdSpec := b.single("etcd", RoleKubernetes, systemHub+"/etcd:"+kubernetes.Etcd.Tag, etcd, "server")
	etcdSpec.files = func() ([]file, error) { return []file{b.executable(etcd, "server", "etcd")}, nil }
	add(etcdSpec)
	corednsSpec := b.single("coredns", RoleKubernetes, systemHub+"/coredns/coredns:"+kubernetes.CoreDNS.Tag, coredns, "coredns")
	corednsSpec.config.Entrypoint = []string{"/usr/local/bin/coredns"}
	add(corednsSpec)
	pauseSpec := b.single("pause", RoleKubernetes, systemHub+"/pause:"+kubernetes.Pause, pause, "pause")
	pauseSpec.config.Entrypoint = []string{"/usr/local/bin/pause"}
	pauseSpec.config.User = "65535:65535"
	add(pauseSpec)
	for _, name := range []string{"controller", "speaker"} {
		spec := b.single("metallb-"+name, RoleInstrument, metallbHub+"/"+name+":v"+instruments.MetalLB, metallb, name)
		spec.config.Entrypoint = []string{"/usr/local/bin/" + name}
		add(spec)
	}
	basic := b.single("echo-basic", RoleInstrument, "", echoBasic, "echo-basic")
	basic.references = append([]string{instrumentHub + "/echo-basic:local"}, matching(conformanceImages, "/echo-basic:")...)
	basic.config.Entrypoint = []string{"/usr/local/bin/echo-basic"}
	add(basic)
	add(imageSpec{
		name: "echo", role: RoleInstrument, needs: []*artifact{echo, echoCerts},
		references: append([]string{instrumentHub + "/echo:local"}, matching(conformanceImages, "/echo-advanced:")...),
		config:     v1.Config{Entrypoint: []string{"/usr/local/bin/server"}, Env: []string{defaultPath}},
		files: func() ([]file, error) {
			certs := b.store.path(echoCerts)
			return []file{
				b.executable(echo, "server", ""), b.executable(echo, "client", ""),
				{to: "/cert.crt", from: filepath.Join(certs, "cert.crt"), mode: 0o644},
				{to: "/cert.key", from: filepath.Join(certs, "cert.key"), mode: 0o644},
			}, nil
		},
	})
	result.node = b.node(kubernetes, kube, nodeRoot, kindFiles, result.images)
	return result, nil
}

// single is an image from scratch with one static executable.
func (b *Builder) single(name, role, reference string, from *artifact, executable string) imageSpec {
	return imageSpec{
		name: name, role: role, references: []string{reference}, needs: []*artifact{from},
		config: v1.Config{Env: []string{defaultPath}},
		files:  func() ([]file, error) { return []file{b.executable(from, executable, "")}, nil },
	}
}

// executable is an artifact's program under /usr/local/bin, renamed unless as is empty.
func (b *Builder) executable(from *artifact, name, as string) file {
	if as == "" {
		as = name
	}
	return file{to: "/usr/local/bin/" + as, from: filepath.Join(b.store.path(from), name), mode: 0o755}
}

// bootstrapTemplates are where pilot-agent looks for them (Istio 1.20, pilot/docker/Dockerfile.proxyv2).
func (b *Builder) bootstrapTemplates(from *artifact) []file {
	var files []file
	for _, name := range []string{"envoy_bootstrap", "gcp_envoy_bootstrap"} {
		files = append(files, file{to: "/var/lib/istio/envoy/" + name + "_tmpl.json", from: filepath.Join(b.store.path(from), name+".json"), mode: 0o644})
	}
	return files
}

var imageLine = regexp.MustCompile(`(?m)^\s*image:\s*(\S+)\s*$`)

// conformanceReferences are the images that upstream's embedded conformance manifests name.
func conformanceReferences() ([]string, error) {
	found := map[string]bool{}
	err := fs.WalkDir(conformance.Manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		content, err := conformance.Manifests.ReadFile(path)
		for _, match := range imageLine.FindAllSubmatch(content, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the conformance manifests: %w", err)
	}
	references := make([]string, 0, len(found))
	for reference := range found {
		references = append(references, reference)
	}
	sort.Strings(references)
	return references, nil
}

func matching(references []string, part string) []string {
	var found []string
	for _, reference := range references {
		if strings.Contains(reference, part) {
			found = append(found, reference)
		}
	}
	return found
}
