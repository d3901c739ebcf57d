package filterorder

import (
	"fmt"
	"slices"

	"mesh-conformance/suites/internal/xds"
	"mesh-conformance/suites/internal/xds/envoy"
)

// place is where a proxy runs a list of filters.
type place struct {
	name string
	kind xds.Kind
	// chain is empty for all of a listener's own; its default chain takes what is not for the listener.
	listener, chain string
	// http asks for the filters of the HTTP connection manager instead of the chain's own.
	http bool
}

// The places of a workload with an HTTP port 8080 and a TCP port 9090, of its way to a service with the same
// on ports 80 and 9090, and of a gateway: see fixtures/filterorder/services.yaml.
var (
	inboundHTTP            = place{name: "inbound HTTP", kind: xds.Sidecar, listener: "virtualInbound", chain: "0.0.0.0_8080", http: true}
	inboundHTTPConnection  = place{name: "connections of inbound HTTP", kind: xds.Sidecar, listener: "virtualInbound", chain: "0.0.0.0_8080"}
	inboundTCP             = place{name: "inbound TCP", kind: xds.Sidecar, listener: "virtualInbound", chain: "0.0.0.0_9090"}
	passthroughHTTP        = place{name: "inbound HTTP to other ports", kind: xds.Sidecar, listener: "virtualInbound", chain: "virtualInbound-catchall-http", http: true}
	passthroughTCP         = place{name: "inbound TCP to other ports", kind: xds.Sidecar, listener: "virtualInbound", chain: "virtualInbound"}
	outboundHTTP           = place{name: "outbound HTTP", kind: xds.Sidecar, listener: "0.0.0.0_80", http: true}
	outboundHTTPConnection = place{name: "connections of outbound HTTP", kind: xds.Sidecar, listener: "0.0.0.0_80"}
	outboundTCP            = place{name: "outbound TCP", kind: xds.Sidecar, listener: "198.51.100.80_9090"}
	gatewayHTTP            = place{name: "gateway HTTP", kind: xds.Router, listener: "0.0.0.0_80", http: true}
	gatewayHTTPConnection  = place{name: "connections of gateway HTTP", kind: xds.Router, listener: "0.0.0.0_80"}
	gatewayHTTPS           = place{name: "gateway HTTPS", kind: xds.Router, listener: "0.0.0.0_443", http: true}
	gatewayHTTPSConnection = place{name: "connections of gateway HTTPS", kind: xds.Router, listener: "0.0.0.0_443"}
	gatewayTCP             = place{name: "gateway TCP", kind: xds.Router, listener: "0.0.0.0_9000"}
	gatewayMutual          = place{name: "gateway TLS of mode ISTIO_MUTUAL", kind: xds.Router, listener: "0.0.0.0_9443"}
)

var places = []place{
	inboundHTTP, inboundHTTPConnection, inboundTCP, passthroughHTTP, passthroughTCP,
	outboundHTTP, outboundHTTPConnection, outboundTCP,
	gatewayHTTP, gatewayHTTPConnection, gatewayHTTPS, gatewayHTTPSConnection, gatewayTCP, gatewayMutual,
}

// stepsAt are the filters of a place. Chains that differ in TLS only, as those of a PERMISSIVE port do, have
// to have the same.
func stepsAt(snapshot *xds.Snapshot, namespace string, at place) ([]step, error) {
	chains, err := chainsAt(snapshot, at)
	if err != nil {
		return nil, err
	}
	steps, err := stepsOfChains(namespace, chains, at.http)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.name, err)
	}
	return steps, nil
}

func stepsOfChains(namespace string, chains []envoy.Chain, http bool) ([]step, error) {
	var steps []step
	for i, chain := range chains {
		filters := chain.Network
		if http {
			filters = chain.HTTP
		}
		these, err := stepsOf(namespace, filters)
		if err != nil {
			return nil, err
		}
		if i > 0 && !slices.Equal(these, steps) {
			return nil, fmt.Errorf("chains with different filters, %q and %q", names(steps), names(these))
		}
		steps = these
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("no filters in %d chains", len(chains))
	}
	return steps, nil
}

func chainsAt(snapshot *xds.Snapshot, at place) ([]envoy.Chain, error) {
	if at.chain != "" {
		return snapshot.Chain(at.listener, at.chain)
	}
	listener, err := snapshot.Listener(at.listener)
	if err != nil {
		return nil, err
	}
	chains, err := envoy.Chains(listener)
	return slices.DeleteFunc(chains, func(chain envoy.Chain) bool { return chain.Default }), err
}
