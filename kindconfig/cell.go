package kindconfig

// Image is one image of a cell, as the reports name it.
type Image struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	// Digest of the manifest of this architecture, sha256:…; of a built node image, which exists in an
	// engine only, its id.
	Digest string `json:"digest"`
	// PinnedDigest is the digest that versions.yaml pins for the reference and that the digests of a mirror replace; empty
	// where none is replaced.
	PinnedDigest string `json:"pinnedDigest,omitempty"`
	// Mirror is the reference that the image was read from, where that is a mirror's.
	Mirror string `json:"mirror,omitempty"`
	// Source is built or published.
	Source string `json:"source"`
	// Role is subject, release, kubernetes or instrument.
	Role string `json:"role"`
}

// Release is another version of Istio than the subject: what upgrades start from or lead to, and what
// is known to lack an ability of the subject.
type Release struct {
	Istio string `json:"istio"`
	// Hub and Tag of its images, which the nodes carry: pilot and proxyv2.
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Istioctl is its own binary.
	Istioctl string `json:"istioctl"`
}

// Cell is what the driver prepared and the suite provisions from: one Kubernetes version, one
// Istio build. Paths are absolute.
type Cell struct {
	// Kubernetes is the version that runs: kind publishes other patch releases than are built.
	Kubernetes string `json:"kubernetes"`
	Istio      string `json:"istio"`
	// Subject is the build under test; Istio is its version.
	Subject Subject `json:"subject"`
	// Source of the subject and of Kubernetes: built or published.
	Source string `json:"source"`
	// Node is the kind node image's reference in the engine.
	Node string `json:"node"`
	// NodeTraits are those of the node image.
	NodeTraits NodeTraits `json:"nodeTraits"`
	// ProxyFlavour is upstream or istio, ProxyVersion the proxy's version where the pins know it.
	ProxyFlavour string `json:"proxyFlavour"`
	ProxyVersion string `json:"proxyVersion"`
	// Archives are image archives to load into a node that does not carry them.
	Archives []string `json:"archives,omitempty"`
	// Istioctl is the subject's own binary.
	Istioctl string `json:"istioctl"`
	// Hub and Tag of the subject's images.
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Before and After are the releases that upgrades to the subject start from, and that it is upgraded to.
	Before Release `json:"before"`
	After  Release `json:"after"`
	// MetalLB is the manifest to install, GatewayAPICRDs the folder of CRDs of the experimental channel.
	MetalLB        string  `json:"metallb"`
	GatewayAPICRDs string  `json:"gatewayAPICRDs"`
	Images         []Image `json:"images"`
}
