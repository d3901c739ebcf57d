// Package catalogue lists the promises of the Istio 1.20 release that the suite qualifies, one row each.
package catalogue

import (
	"slices"
	"strings"
)

// The rows as Ginkgo labels. A label may not contain a slash, so a label joins with a dot
// what the row's id joins with a slash: see ID.
const (
	GatewayAPIHTTP           = "gatewayapi.http"
	GatewayAPITLS            = "gatewayapi.tls"
	GatewayAPIMesh           = "gatewayapi.mesh"
	GatewayAPIBeyondProfiles = "gatewayapi.beyond-profiles"

	GatewayDeployManaged   = "gatewaydeploy.managed"
	GatewayDeployMeshSmoke = "gatewaydeploy.mesh-smoke"

	TargetRefAuthorizationPolicy   = "targetref.authorizationpolicy"
	TargetRefRequestAuthentication = "targetref.requestauthentication"
	TargetRefTelemetry             = "targetref.telemetry"
	TargetRefWasmPlugin            = "targetref.wasmplugin"

	ExternalName = "externalname"
	FilterOrder  = "filterorder"
	WasmPlugin   = "wasmplugin"
	TCPMetadata  = "tcpmetadata"
	Mirroring    = "mirroring"

	RootRotation = "rootrotation"
	StartupProbe = "startupprobe"
	OpenShift    = "openshift"
	Istioctl     = "istioctl"
	Upgrade      = "upgrade"
	Kubernetes   = "kubernetes"

	Invariants = "invariants"
)

// Smoke is the label of the set smoke: at least one spec of each row, which together take ten minutes at most on a
// quiet machine with two cores.
const Smoke = "smoke"

// Row is one promise of the release.
type Row struct {
	// ID begins with the name of the feature's folder under suites, for example targetref/telemetry.
	ID string
	// Title is the promise in one line, as the 1.20 announcement and change notes give it.
	Title string
	// Since and Until are the first release of Istio that makes the promise and the first one that does not any more,
	// for example 1.20; empty where there is none.
	Since, Until string
}

// rows is in the order of the reports: the announcement's headline features first.
// Source: the Istio 1.20 release announcement and its change notes.
var rows = []Row{
	{ID: ID(GatewayAPIHTTP), Title: "Gateway API v1.0: HTTP profile, core and extended"},
	{ID: ID(GatewayAPITLS), Title: "Gateway API v1.0: TLS profile"},
	{ID: ID(GatewayAPIMesh), Title: "Gateway API v1.0: mesh (GAMMA) tests"},
	{ID: ID(GatewayAPIBeyondProfiles), Title: "Gateway API v1.0: tests that belong to no profile"},
	{ID: ID(GatewayDeployManaged), Title: "A Gateway deploys and manages its own proxy"},
	{ID: ID(GatewayDeployMeshSmoke), Title: "The mesh carries mutual TLS and enforces authorization"},
	{ID: ID(TargetRefAuthorizationPolicy), Title: "AuthorizationPolicy attaches to a Gateway by targetRef", Since: "1.20"},
	{ID: ID(TargetRefRequestAuthentication), Title: "RequestAuthentication attaches to a Gateway by targetRef", Since: "1.20"},
	{ID: ID(TargetRefTelemetry), Title: "Telemetry attaches to a Gateway by targetRef", Since: "1.20"},
	{ID: ID(TargetRefWasmPlugin), Title: "WasmPlugin attaches to a Gateway by targetRef", Since: "1.20"},
	{ID: ID(ExternalName), Title: "ExternalName services are aliases of what they point at"},
	{ID: ID(FilterOrder), Title: "Envoy filters stand in one order everywhere", Since: "1.20"},
	{ID: ID(WasmPlugin), Title: "Wasm plugins of type NETWORK", Since: "1.20"},
	{ID: ID(TCPMetadata), Title: "TCP metadata exchange: discovery and its ALPN switch", Since: "1.20"},
	{ID: ID(Mirroring), Title: "Traffic is mirrored to several destinations", Since: "1.20"},
	{ID: ID(RootRotation), Title: "A plugged root certificate rotates without downtime", Since: "1.20"},
	{ID: ID(StartupProbe), Title: "Sidecars have a startup probe", Since: "1.20"},
	{ID: ID(OpenShift), Title: "Installation on OpenShift without the anyuid SCC", Since: "1.20"},
	{ID: ID(Istioctl), Title: "istioctl's new abilities"},
	{ID: ID(Upgrade), Title: "Upgrade from the minor version before, in place and by revision"},
	{ID: ID(Kubernetes), Title: "Kubernetes 1.25 to 1.28 are supported"},
	{ID: ID(Invariants), Title: "No crash, no rejected configuration, no unexplained restart"},
}

// ID is the row id of a label.
func ID(label string) string { return strings.ReplaceAll(label, ".", "/") }

// Label is the Ginkgo label of a row id.
func Label(id string) string { return strings.ReplaceAll(id, "/", ".") }

// Rows gives every row in the order of the reports; the caller may change the copy.
func Rows() []Row { return append([]Row(nil), rows...) }

// RowOf finds the row among a spec's labels. ok is false where none, or more than one, names a row.
func RowOf(labels []string) (row Row, ok bool) {
	found := 0
	for _, candidate := range rows {
		for _, label := range labels {
			if candidate.ID == ID(label) {
				row = candidate
				found++
			}
		}
	}
	return row, found == 1
}

// WithoutSmoke returns the ids of the rows that have no spec with the label Smoke, in the order of the reports. specs
// holds the labels of each spec of the suite.
func WithoutSmoke(specs [][]string) []string {
	covered := map[string]bool{}
	for _, labels := range specs {
		if row, ok := RowOf(labels); ok && slices.Contains(labels, Smoke) {
			covered[row.ID] = true
		}
	}
	var missing []string
	for _, row := range rows {
		if !covered[row.ID] {
			missing = append(missing, row.ID)
		}
	}
	return missing
}
