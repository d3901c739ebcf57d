package match

import (
	"testing"

	"mesh-conformance/suites/internal/xds/envoy"
)

func networkChain(port uint32, filters ...string) envoy.Chain {
	of := chain(port, false)
	for _, name := range filters {
		of.Network = append(of.Network, envoy.Filter{Name: name})
	}
	return of
}

func TestHaveNetworkFilters(t *testing.T) {
	has := HaveNetworkFilters(9090, "wasm", "tcp")
	check(t, map[string]verdict{
		"every chain":        {has, []envoy.Chain{networkChain(9090, "wasm", "tcp"), networkChain(9090, "wasm", "tcp")}, true, []string{`["wasm" "tcp"]`}},
		"one lacks it":       {has, []envoy.Chain{networkChain(9090, "wasm", "tcp"), networkChain(9090, "tcp")}, false, []string{`chain: ["tcp"]`, "on port 9090"}},
		"in another order":   {has, []envoy.Chain{networkChain(9090, "tcp", "wasm")}, false, nil},
		"others do not mind": {has, []envoy.Chain{networkChain(9090, "wasm", "tcp"), networkChain(8080, "http")}, true, nil},
	})
	refuses(t, has, []envoy.Chain{networkChain(8080, "wasm", "tcp")})
	refuses(t, has, []string{"wasm"})
}
