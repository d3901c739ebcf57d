package filterorder

import (
	"fmt"
	"slices"
)

// phase is a place in the order of filters that the release promises.
type phase string

// The phases in the words of the release.
const (
	metadataExchange phase = "Metadata Exchange"
	customAuthz      phase = "CUSTOM Authz"
	wasmAuthn        phase = "WASM Authn"
	authn            phase = "Authn"
	wasmAuthz        phase = "WASM Authz"
	authz            phase = "Authz"
	wasmStats        phase = "WASM Stats"
	stats            phase = "Stats"
	wasmUnspecified  phase = "WASM unspecified"
)

// documented is the order that the upgrade notes of Istio 1.20 give, for "inbound, outbound and gateway proxy
// modes, as well as HTTP and TCP protocols":
// https://istio.io/latest/news/releases/1.20.x/announcing-1.20/upgrade-notes/#envoy-filter-ordering
var documented = []phase{
	metadataExchange, customAuthz, wasmAuthn, authn, wasmAuthz, authz, wasmStats, stats, wasmUnspecified,
}

// pluginPhases are the phases of WasmPlugins by the last word of the fixtures' names.
var pluginPhases = map[string]phase{
	"authn": wasmAuthn, "authz": wasmAuthz, "stats": wasmStats, "unspecified": wasmUnspecified,
}

// breaches names each step that stands before one of an earlier phase of the order, with the first such.
func breaches(steps []step, order []phase) []string {
	var found []string
	for i, early := range steps {
		for _, late := range steps[i+1:] {
			if rank(order, late.Phase) >= 0 && rank(order, early.Phase) > rank(order, late.Phase) {
				found = append(found, fmt.Sprintf("%s (%s) stands before %s (%s)", early.Name, early.Phase, late.Name, late.Phase))
				break
			}
		}
	}
	return found
}

// rank is below zero for what the order does not speak of.
func rank(order []phase, of phase) int { return slices.Index(order, of) }

// list is what a proxy runs in one place.
type list struct {
	Place string
	Steps []step
}

// pair is two phases, the first before the second.
type pair struct{ first, second phase }

func (p pair) reversed() pair { return pair{p.second, p.first} }

// disagreements names each two phases that follow each other one way in one list and the other way in a
// list after it, or in the same. compared is how many pairs of phases stand in more than one list.
func disagreements(lists []list) (found []string, compared int) {
	where := map[pair]string{}
	shared := map[pair]bool{}
	for _, list := range lists {
		for _, here := range pairsOf(list.Steps) {
			earlier, same := where[here]
			other, opposite := where[here.reversed()]
			if opposite {
				found = append(found, fmt.Sprintf("%s: %s before %s, %s: the other way round", list.Place, here.first, here.second, other))
			}
			if (same && earlier != list.Place || opposite && other != list.Place) && !shared[here.reversed()] {
				shared[here] = true
			}
			if !same {
				where[here] = list.Place
			}
		}
	}
	return found, len(shared)
}

// pairsOf are the different pairs of phases in a list, each once.
func pairsOf(steps []step) []pair {
	var pairs []pair
	for i, early := range steps {
		for _, late := range steps[i+1:] {
			this := pair{early.Phase, late.Phase}
			if early.Phase != "" && late.Phase != "" && early.Phase != late.Phase && !slices.Contains(pairs, this) {
				pairs = append(pairs, this)
			}
		}
	}
	return pairs
}
