package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/xds/envoy"
)

// HaveNetworkFilters holds for the filter chains of a listener if all those for the port have exactly
// these network filters in this order.
func HaveNetworkFilters(port uint32, names ...string) types.GomegaMatcher {
	want := fmt.Sprintf("have network filters %q on port %d", names, port)
	return judging(want, func(chains []envoy.Chain) (bool, string, error) {
		var seen []string
		ok := true
		for _, chain := range chains {
			if chain.Proto.GetFilterChainMatch().GetDestinationPort().GetValue() != port {
				continue
			}
			has := envoy.Names(chain.Network)
			ok = ok && slices.Equal(has, names)
			seen = append(seen, fmt.Sprintf("%s: %q", chain.Name, has))
		}
		if len(seen) == 0 {
			return false, "", fmt.Errorf("no filter chain for port %d among %d", port, len(chains))
		}
		slices.Sort(seen)
		return ok, strings.Join(slices.Compact(seen), "\n    "), nil
	})
}
