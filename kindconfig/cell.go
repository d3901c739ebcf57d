package kindconfig

// Image is one image of a cell, as the reports name it.
type Image struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	// Digest of the manifest of this architecture, sha256:…; of a built node image, which exists in an
	// engine only, its id.
	Digest string `json:"digest"`
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
	// ProxyFlavour is upstream or istio, ProxyVersion the proxy's version: what the pins say, until the suite has read both
	// from the proxy.
	ProxyFlavour string `json:"proxyFlavour"`
	ProxyVersion string `json:"proxyVersion"`
	// ProxyExtensions are the names of the extensions that the subject's Envoy has (node.extensions of /server_info), sorted; nil where they have not been read.
	ProxyExtensions []string `json:"proxyExtensions,omitempty"`
	// Archives are image archives to load into a node that does not carry them.
	Archives []string `json:"archives,omitempty"`
	// Istioctl is the subject's own binary.
	Istioctl string `json:"istioctl"`
	// Charts is the folder of the subject's Helm charts: base, istio-cni, istio-control/istio-discovery. The profiles of
	// istioctl are in the folder profiles beside it.
	Charts string `json:"charts,omitempty"`
	// Install is how control planes of the subject are installed, istioctl or helm; empty is istioctl.
	Install string `json:"install,omitempty"`
	// Values is the content of the builder's own installation values (IstioOperator or Helm values in YAML), which is laid
	// under what the suite sets; empty where there are none.
	Values string `json:"values,omitempty"`
	// Hub and Tag of the subject's images.
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Before and After are the releases that upgrades to the subject start from, and that it is upgraded to.
	Before Release `json:"before"`
	After  Release `json:"after"`
	// BeforeExtensions and AfterExtensions are those of the Envoys of these two releases, as ProxyExtensions.
	BeforeExtensions []string `json:"beforeExtensions,omitempty"`
	AfterExtensions  []string `json:"afterExtensions,omitempty"`
	// MetalLB is the manifest to install, GatewayAPICRDs the folder of CRDs of the experimental channel.
	MetalLB        string  `json:"metallb"`
	GatewayAPICRDs string  `json:"gatewayAPICRDs"`
	Images         []Image `json:"images"`
}
