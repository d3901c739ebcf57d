package match

import (
	"fmt"
	"slices"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/xds/envoy"
)

// BeMirrors holds for the mirror policies of a route if they are the given ones, in their order.
func BeMirrors(want ...envoy.Mirror) types.GomegaMatcher {
	return judging(fmt.Sprintf("be mirrors %s", want), func(seen []envoy.Mirror) (bool, string, error) {
		return slices.Equal(seen, want), fmt.Sprintf("%s", seen), nil
	})
}
