package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/xds/envoy"
)

// TakeOnlyTLS holds for the filter chains of a listener if all those for the port demand TLS.
func TakeOnlyTLS(port uint32) types.GomegaMatcher {
	return judgeChains(fmt.Sprintf("take only TLS on port %d", port), port, func(chain envoy.Chain) bool {
		return chain.Proto.GetTransportSocket() != nil
	})
}

// HaveHTTPFilter holds for the filter chains of a listener if all those for the port have the HTTP filter.
func HaveHTTPFilter(port uint32, name string) types.GomegaMatcher {
	return judgeChains(fmt.Sprintf("have HTTP filter %s on port %d", name, port), port, func(chain envoy.Chain) bool {
		_, found := envoy.Named(chain.HTTP, name)
		return found
	})
}

// HaveNoHTTPFilter holds for the filter chains of a listener if none of those for the port has the HTTP filter.
func HaveNoHTTPFilter(port uint32, name string) types.GomegaMatcher {
	return judgeChains(fmt.Sprintf("have no HTTP filter %s on port %d", name, port), port, func(chain envoy.Chain) bool {
		_, found := envoy.Named(chain.HTTP, name)
		return !found
	})
}

// judgeChains gives no verdict where there is no chain for the port: the listener is not there yet,
// or it is another one.
func judgeChains(want string, port uint32, right func(envoy.Chain) bool) types.GomegaMatcher {
	return judging(want, func(chains []envoy.Chain) (bool, string, error) {
		var seen []string
		ok := true
		for _, chain := range chains {
			if chain.Proto.GetFilterChainMatch().GetDestinationPort().GetValue() != port {
				continue
			}
			ok = ok && right(chain)
			socket := "plaintext"
			if chain.Proto.GetTransportSocket() != nil {
				socket = "TLS"
			}
			seen = append(seen, fmt.Sprintf("%s: %s, HTTP filters %q", chain.Name, socket, envoy.Names(chain.HTTP)))
		}
		if len(seen) == 0 {
			return false, "", fmt.Errorf("no filter chain for port %d among %d", port, len(chains))
		}
		slices.Sort(seen)
		return ok, strings.Join(seen, "\n    "), nil
	})
}
