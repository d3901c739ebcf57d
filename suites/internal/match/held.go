package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"
)

// Held is what one proxy holds under a heading, filter chain by filter chain: names of filters or of access logs.
type Held struct {
	By     string
	Chains [][]string
}

// HoldInEveryChain holds where each filter chain has the name, among others.
func HoldInEveryChain(name string) types.GomegaMatcher {
	return everyChain("have "+name+" in every filter chain", func(chain []string) bool { return slices.Contains(chain, name) })
}

// HoldInNoChain holds where no filter chain has the name.
func HoldInNoChain(name string) types.GomegaMatcher {
	return everyChain("have "+name+" in no filter chain", func(chain []string) bool { return !slices.Contains(chain, name) })
}

// HoldOnly holds where each filter chain has exactly the names, in any order.
func HoldOnly(names ...string) types.GomegaMatcher {
	want := slices.Sorted(slices.Values(names))
	words := fmt.Sprintf("have %q and nothing else in every filter chain", want)
	if len(want) == 0 {
		words = "have nothing in any filter chain"
	}
	return everyChain(words, func(chain []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(chain)), want)
	})
}

// everyChain gives no verdict on a proxy without a filter chain: its listener is another, or not there yet.
func everyChain(want string, right func([]string) bool) types.GomegaMatcher {
	return judging(want, func(all []Held) (bool, string, error) {
		if len(all) == 0 {
			return false, "", errors.New("no proxy was asked")
		}
		ok := true
		var seen []string
		for _, held := range all {
			if len(held.Chains) == 0 {
				return false, "", fmt.Errorf("%s: no filter chain", held.By)
			}
			good := true
			for _, chain := range held.Chains {
				good = good && right(chain)
			}
			ok = ok && good
			// Those at fault first: a headline has room for little.
			line := fmt.Sprintf("%s: %q", held.By, held.Chains)
			if good {
				seen = append(seen, line)
			} else {
				seen = slices.Insert(seen, 0, line)
			}
		}
		return ok, strings.Join(seen, "\n    "), nil
	})
}
