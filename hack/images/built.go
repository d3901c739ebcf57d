package images

import (
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"mesh-conformance/hack/apt"
	"mesh-conformance/kindconfig"
)

// builtPlan is a cell that is built whole; its node carries every image.
func (b *Builder) builtPlan(kubernetes kindconfig.Kubernetes, istio kindconfig.Istio) (*plan, error) {
	p := &planner{b: b, kept: map[string]*artifact{}}
	base := b.rootfs("iptables", iptablesPackages, useLegacyIptables)
	kube := p.program("kubernetes", kubernetes.Version, 5*time.Minute, kubernetesStamp(kubernetes.Version)...)
	subject := p.release(istio, RoleSubject, base)
	before := p.release(b.versions.Release(istio.Upgrade.From), RoleRelease, base)
	after := p.release(b.versions.Release(istio.Upgrade.To), RoleRelease, base)
	instruments := p.instruments()
	nodeRoot := b.rootfs("node", nodePackages, trimUnits...)
	etcd := p.program("etcd", kubernetes.Etcd.Build, 15*time.Second)
	coredns := p.program("coredns", kubernetes.CoreDNS.Build, time.Minute)
	pause, err := b.localProgram("pause", "hack/images/pause")
	p.keep(pause, err)
	kindFiles := p.files(moduleFiles{name: "kind-files", modDir: ".", module: "sigs.k8s.io/kind", paths: []string{"images/base/files"}})
	if p.err != nil {
		return nil, p.err
	}

	result := &plan{
		cell: kindconfig.Cell{
			Kubernetes: kubernetes.Version, Istio: istio.Version, Subject: kindconfig.ReleaseSubject(istio.Version), Source: SourceBuilt,
			NodeTraits: kindconfig.BuiltNode(kubernetes.Version),
			Hub:        subjectHub, Tag: istio.Version, ProxyFlavour: "upstream", ProxyVersion: istio.Envoy,
			Before: before.describe(), After: after.describe(),
		},
		istioctl: subject.programs, before: before.programs, after: after.programs, metallbFiles: instruments.metallbFiles, gatewayCRDs: instruments.gatewayCRDs,
		tools: map[*artifact]apt.Tool{
			base: mmdebstrap, nodeRoot: mmdebstrap, subject.envoy: pip, before.envoy: pip, after.envoy: pip,
		},
	}
	result.images = append(result.images, subject.images...)
	result.images = append(result.images, b.image(b.cni(istio.Version, base, subject.programs)))
	add := func(spec imageSpec) { result.images = append(result.images, b.image(spec)) }
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

	result.images = append(result.images, before.images...)
	result.images = append(result.images, after.images...)
	measuring, err := b.instrumentImages(instruments)
	if err != nil {
		return nil, err
	}
	result.images = append(result.images, measuring...)
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
