package kindconfig

// NodeTraits are the properties of a kind node image that the cluster configuration follows. They are read from the
// image (hack/images), wherever it comes from.
type NodeTraits struct {
	// Kubernetes is the version in the image, as its file /kind/version has it, without the leading v.
	Kubernetes string `json:"kubernetes"`
	// OwnNetwork says that the image brings a CNI configuration of its own instead of kind's manifest of a pod network,
	// /kind/manifests/default-cni.yaml.
	OwnNetwork bool `json:"ownNetwork"`
	// Cgroupfs says that the image's containerd makes control groups by itself, SystemdCgroup = false. Otherwise it asks
	// systemd, as in kind's images.
	Cgroupfs bool `json:"cgroupfs"`
	// Patched says that the image has patches of static pods for kubeadm in /etc/mesh-conformance/patches.
	Patched bool `json:"patched"`
}

// BuiltNode are the traits of the node images that the suite builds; kubernetes is the version in it.
func BuiltNode(kubernetes string) NodeTraits {
	return NodeTraits{Kubernetes: kubernetes, OwnNetwork: true, Cgroupfs: true, Patched: true}
}

// PublishedNode are the traits of the node images that kind publishes.
func PublishedNode(kubernetes string) NodeTraits { return NodeTraits{Kubernetes: kubernetes} }
