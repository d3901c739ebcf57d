package match

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"mesh-conformance/suites/internal/xds/envoy"
)

func chain(port uint32, tls bool, filters ...string) envoy.Chain {
	chain := envoy.Chain{Name: "chain", Proto: &listenerv3.FilterChain{
		FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(port)},
	}}
	if tls {
		chain.Proto.TransportSocket = &corev3.TransportSocket{Name: "tls"}
	}
	for _, name := range filters {
		chain.HTTP = append(chain.HTTP, envoy.Filter{Name: name})
	}
	return chain
}

func TestTakeOnlyTLS(t *testing.T) {
	only := TakeOnlyTLS(8080)
	check(t, map[string]verdict{
		"one, with TLS":     {only, []envoy.Chain{chain(8080, true)}, true, []string{"chain: TLS"}},
		"others may differ": {only, []envoy.Chain{chain(8080, true), chain(9090, false)}, true, nil},
		"one takes both":    {only, []envoy.Chain{chain(8080, true), chain(8080, false)}, false, []string{"chain: plaintext", "to take only TLS on port 8080"}},
	})
	refuses(t, only, []string{"chain"})
	refuses(t, only, []envoy.Chain{})
	refuses(t, only, []envoy.Chain{chain(9090, true)})
	refuses(t, only, []envoy.Chain{{Default: true, Proto: &listenerv3.FilterChain{}}})
}

func TestHaveHTTPFilter(t *testing.T) {
	const rbac = "envoy.filters.http.rbac"
	has := HaveHTTPFilter(8080, rbac)
	check(t, map[string]verdict{
		"every chain":  {has, []envoy.Chain{chain(8080, true, rbac, "router"), chain(8080, false, rbac)}, true, []string{rbac}},
		"one does not": {has, []envoy.Chain{chain(8080, true, rbac), chain(8080, false, "router")}, false, []string{"router", "on port 8080"}},
		"another port": {has, []envoy.Chain{chain(8080, true, "router"), chain(9090, true, rbac)}, false, nil},
	})
	refuses(t, has, []envoy.Chain(nil))
}

func TestHaveNoHTTPFilter(t *testing.T) {
	const rbac = "envoy.filters.http.rbac"
	hasNot := HaveNoHTTPFilter(8080, rbac)
	check(t, map[string]verdict{
		"no chain":     {hasNot, []envoy.Chain{chain(8080, true, "router"), chain(8080, false, "router")}, true, []string{"have no HTTP filter", "router"}},
		"one has":      {hasNot, []envoy.Chain{chain(8080, true, rbac), chain(8080, false, "router")}, false, []string{rbac, "on port 8080"}},
		"another port": {hasNot, []envoy.Chain{chain(8080, true, "router"), chain(9090, true, rbac)}, true, nil},
	})
	refuses(t, hasNot, []envoy.Chain(nil))
}
