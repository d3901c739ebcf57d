package kindconfig

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Extensions that Istio builds into its Envoy and that upstream's lacks, by the names that Envoy lists them under
// (istio/proxy 1.20: bazel target //:envoy).
const (
	ExtensionALPN                     = "istio.alpn"
	ExtensionAuthn                    = "istio_authn"
	ExtensionHTTPStats                = "envoy.filters.http.istio_stats"
	ExtensionTCPStats                 = "envoy.filters.network.istio_stats"
	ExtensionPeerMetadata             = "envoy.filters.http.peer_metadata"
	ExtensionMetadataExchange         = "envoy.filters.network.metadata_exchange"
	ExtensionUpstreamMetadataExchange = "envoy.filters.network.upstream.metadata_exchange"
	ExtensionWorkloadDiscovery        = "envoy.bootstrap.workload_discovery"
)

// IstioExtensions lists the extensions that make an Envoy Istio's own.
func IstioExtensions() []string {
	return []string{
		ExtensionALPN, ExtensionAuthn, ExtensionHTTPStats, ExtensionTCPStats, ExtensionPeerMetadata,
		ExtensionMetadataExchange, ExtensionUpstreamMetadataExchange, ExtensionWorkloadDiscovery,
	}
}

// extensionName reports whether an Envoy may list a name among its extensions: Envoy's own begin with envoy., and those
// of Istio are known.
func extensionName(name string) bool {
	return strings.HasPrefix(name, "envoy.") && name != "envoy." || slices.Contains(IstioExtensions(), name)
}

// mistyped returns the extension of Istio that a name is nearly: a proxy lacks an extension of a mistyped name. It is
// empty for every other name.
func mistyped(name string) string {
	for _, own := range IstioExtensions() {
		if distance := levenshtein.ComputeDistance(name, own); distance > 0 && distance <= 2 {
			return own
		}
	}
	return ""
}

// Flavours of a proxy.
const (
	FlavourUpstream = "upstream"
	FlavourIstio    = "istio"
)

// FlavourOf returns FlavourIstio for an Envoy that has at least one extension of Istio's own, and FlavourUpstream for
// one that has none. The flavour is a name for people; what is configured goes by the single extension.
func FlavourOf(extensions []string) string {
	for _, own := range IstioExtensions() {
		if slices.Contains(extensions, own) {
			return FlavourIstio
		}
	}
	return FlavourUpstream
}

// ProxyFacts are what was read from a running Envoy.
type ProxyFacts struct {
	// Version is Envoy's own, for example 1.40.0.
	Version string `json:"version"`
	// Extensions are the names of those that are compiled in and enabled, sorted.
	Extensions []string `json:"extensions"`
}

// Proxies are the Envoys of a cell's releases.
type Proxies struct {
	Subject ProxyFacts `json:"subject"`
	Before  ProxyFacts `json:"before"`
	After   ProxyFacts `json:"after"`
}

// LearnProxies replaces what the pins say of the cell's proxies with what was read from them. Facts without extensions
// were not read and change nothing.
func (c *Cell) LearnProxies(read Proxies) {
	if len(read.Subject.Extensions) > 0 {
		c.ProxyExtensions, c.ProxyVersion = read.Subject.Extensions, read.Subject.Version
		c.ProxyFlavour = FlavourOf(read.Subject.Extensions)
	}
	if len(read.Before.Extensions) > 0 {
		c.BeforeExtensions = read.Before.Extensions
	}
	if len(read.After.Extensions) > 0 {
		c.AfterExtensions = read.After.Extensions
	}
}

// Unread returns a copy of the cell without what LearnProxies adds: what the driver knew. A kept cluster serves for a
// cell with the same content.
func (c *Cell) Unread() *Cell {
	bare := *c
	bare.ProxyFlavour, bare.ProxyVersion, bare.ProxyExtensions = "", "", nil
	bare.BeforeExtensions, bare.AfterExtensions = nil, nil
	return &bare
}
