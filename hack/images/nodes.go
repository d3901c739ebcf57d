package images

import (
	"time"

	"mesh-conformance/kindconfig"
)

// nodes is how a cell's node comes about.
type nodes struct {
	// version of Kubernetes: published nodes are of other patch releases than built ones.
	version string
	// source is built or published.
	source string
	// traits of a built node; those of others are read from the image once the engine has it.
	traits kindconfig.NodeTraits
	// images are Kubernetes' own, of a built node; a published one brings its own.
	images []*artifact
	// make plans the node for a cell's images, and the archive to load into a node that does not carry them, or nil.
	make func(images []*artifact) (node, archive *artifact)
}

// planNodes plans the node of a version of Kubernetes, wherever the subject comes from.
func (p *planner) planNodes(kubernetes kindconfig.Kubernetes) nodes {
	if p.b.options.NodeSource == SourceBuilt {
		return p.builtNodes(kubernetes)
	}
	plan := func() (*artifact, error) { return p.b.pulledNode(kubernetes) }
	if p.b.options.NodeSource != SourcePublished {
		plan = func() (*artifact, error) { return p.b.namedNode(p.b.options.NodeSource) }
	}
	node, err := plan()
	node = p.keep(node, err)
	return nodes{
		version: publishedVersion(kubernetes), source: SourcePublished,
		make: func(images []*artifact) (*artifact, *artifact) { return node, p.b.archive(images) },
	}
}

// builtNodes plans a node that is built whole and carries every image of its cell.
func (p *planner) builtNodes(kubernetes kindconfig.Kubernetes) nodes {
	b, base := p.b, p.base()
	kube := p.program("kubernetes", kubernetes.Version, 5*time.Minute, kubernetesStamp(kubernetes.Version)...)
	root := p.rootfs("node", nodePackages, trimUnits...)
	etcd := p.program("etcd", kubernetes.Etcd.Build, 15*time.Second)
	coredns := p.program("coredns", kubernetes.CoreDNS.Build, time.Minute)
	pause, err := b.localProgram("pause", "hack/images/pause")
	pause = p.keep(pause, err)
	kindFiles := p.files(moduleFiles{name: "kind-files", modDir: ".", module: "sigs.k8s.io/kind", paths: []string{"images/base/files"}})

	var images []*artifact
	add := func(spec imageSpec) { images = append(images, b.image(spec)) }
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
	return nodes{
		version: kubernetes.Version, source: SourceBuilt, images: images, traits: kindconfig.BuiltNode(kubernetes.Version),
		make: func(images []*artifact) (*artifact, *artifact) {
			return b.node(kubernetes, kube, root, kindFiles, images), nil
		},
	}
}
