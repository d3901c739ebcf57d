package envoy

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// Mirror is one request mirror policy of a route.
type Mirror struct {
	Cluster string
	// Parts of Of requests are mirrored. A policy that states no fraction mirrors all: 100 of 100.
	Parts, Of uint32
	// TraceSampled says whether mirrored requests are traced as their originals are.
	TraceSampled bool
}

// Mirrors are the mirror policies of a route in their order.
func Mirrors(route *routev3.Route) []Mirror {
	policies := route.GetRoute().GetRequestMirrorPolicies()
	mirrors := make([]Mirror, 0, len(policies))
	for _, policy := range policies {
		mirror := Mirror{Cluster: policy.GetCluster(), Parts: 100, Of: 100, TraceSampled: true}
		if fraction := policy.GetRuntimeFraction().GetDefaultValue(); fraction != nil {
			mirror.Parts, mirror.Of = fraction.GetNumerator(), denominator(fraction.GetDenominator())
		}
		if sampled := policy.GetTraceSampled(); sampled != nil {
			mirror.TraceSampled = sampled.GetValue()
		}
		mirrors = append(mirrors, mirror)
	}
	return mirrors
}

func denominator(of typev3.FractionalPercent_DenominatorType) uint32 {
	switch of {
	case typev3.FractionalPercent_TEN_THOUSAND:
		return 10_000
	case typev3.FractionalPercent_MILLION:
		return 1_000_000
	default:
		return 100
	}
}

// VirtualHost finds the virtual host that lists a domain verbatim, over several route
// configurations; nil if none does. Host and any port must be given as Envoy holds them.
func VirtualHost(configs []*routev3.RouteConfiguration, domain string) *routev3.VirtualHost {
	for _, config := range configs {
		for _, host := range config.GetVirtualHosts() {
			if slices.Contains(host.GetDomains(), domain) {
				return host
			}
		}
	}
	return nil
}

// Destinations are the clusters a route sends to, weighted ones included, in their order.
func Destinations(route *routev3.Route) []string {
	action := route.GetRoute()
	if cluster := action.GetCluster(); cluster != "" {
		return []string{cluster}
	}
	var clusters []string
	for _, weighted := range action.GetWeightedClusters().GetClusters() {
		clusters = append(clusters, weighted.GetName())
	}
	return clusters
}

// ServiceOf splits Istio's cluster name direction|port|subset|host; ok is false for any other.
func ServiceOf(cluster string) (direction, port, subset, host string, ok bool) {
	parts := strings.Split(cluster, "|")
	if len(parts) != 4 {
		return "", "", "", "", false
	}
	return parts[0], parts[1], parts[2], parts[3], true
}
