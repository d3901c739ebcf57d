package kindconfig

import "slices"

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

// Release is another version of Istio than the subject: what upgrades start from or lead to, or the control.
type Release struct {
	Istio string `json:"istio"`
	// Hub and Tag of its images, which the nodes carry: pilot and proxyv2.
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Istioctl is its own binary.
	Istioctl string `json:"istioctl"`
}

// Exists reports whether there is such a release: none may be pinned before or after the subject.
func (r Release) Exists() bool { return r.Istio != "" }

// Cell is what the driver prepared and the suite provisions from: one Kubernetes version, one
// Istio build. Paths are absolute.
type Cell struct {
	// Kubernetes is the version that runs: kind publishes other patch releases than are built.
	Kubernetes string `json:"kubernetes"`
	// Istio is the version that the subject reports of itself.
	Istio   string  `json:"istio"`
	Subject Subject `json:"subject"`
	// Source of the subject, NodeSource of the node and of Kubernetes: built or published.
	Source     string `json:"source"`
	NodeSource string `json:"nodeSource"`
	// Node is the kind node image's reference in the engine.
	Node string `json:"node"`
	// NodeTraits are those of the node image.
	NodeTraits NodeTraits `json:"nodeTraits"`
	// ProxyFlavour is upstream or istio, ProxyVersion the proxy's version: what the pins say, until the suite has read both
	// from the proxy.
	ProxyFlavour string `json:"proxyFlavour"`
	ProxyVersion string `json:"proxyVersion"`
	// ProxyExtensions are the names of the extensions that are compiled into the subject's Envoy and enabled, as its
	// /server_info lists them in node.extensions, for example envoy.filters.network.metadata_exchange. It is nil as long
	// as nothing has read them; Lacks then goes by ProxyFlavour.
	ProxyExtensions []string `json:"proxyExtensions,omitempty"`
	// Archives are image archives to load into a node that does not carry them.
	Archives []string `json:"archives,omitempty"`
	// Istioctl is the subject's own binary.
	Istioctl string `json:"istioctl"`
	// Charts is the folder of the subject's Helm charts: base, istio-cni, istio-control/istio-discovery. The profiles of
	// istioctl are in the folder profiles beside it. It is empty where nothing but istioctl carries them.
	Charts string `json:"charts,omitempty"`
	// ChartsApart means that istioctl has to be given the folder that Charts is in, because it carries other charts.
	ChartsApart bool `json:"chartsApart,omitempty"`
	// Install is how control planes of the subject are installed, istioctl or helm; empty is istioctl.
	Install string `json:"install,omitempty"`
	// Values is the content of the builder's own installation values (IstioOperator or Helm values in YAML), which is laid
	// under what the suite sets; empty where there are none.
	Values string `json:"values,omitempty"`
	// Hub and Tag of the subject's images.
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Before and After are the releases that upgrades to the subject start from, and that it is upgraded to. Either may
	// not exist.
	Before Release `json:"before,omitzero"`
	After  Release `json:"after,omitzero"`
	// BeforeExtensions and AfterExtensions are those of the Envoys of these two releases, as ProxyExtensions.
	BeforeExtensions []string `json:"beforeExtensions,omitempty"`
	AfterExtensions  []string `json:"afterExtensions,omitempty"`
	// Control is the release that specs compare the subject with, because it lacks what the subject promises.
	Control Release `json:"control"`
	// Without maps labels of specs to the reason why this cell cannot have what specs with the label need. Such specs are
	// exempt.
	Without map[string]string `json:"without,omitempty"`
	// MetalLB is the manifest to install, GatewayAPICRDs the folder of CRDs of the experimental channel.
	MetalLB        string  `json:"metallb"`
	GatewayAPICRDs string  `json:"gatewayAPICRDs"`
	Images         []Image `json:"images"`
}

// Lacks returns those of some extensions that the subject's Envoy does not have, by their names in its /server_info.
// As long as its extensions have not been read, upstream Envoy lacks those of Istio and no other.
func (c *Cell) Lacks(extensions []string) []string {
	var missing []string
	for _, name := range extensions {
		there := slices.Contains(c.ProxyExtensions, name)
		if c.ProxyExtensions == nil {
			there = c.ProxyFlavour != FlavourUpstream || !slices.Contains(IstioExtensions(), name)
		}
		if !there {
			missing = append(missing, name)
		}
	}
	return missing
}
