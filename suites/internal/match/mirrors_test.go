package match

import (
	"testing"

	"mesh-conformance/suites/internal/xds/envoy"
)

func TestBeMirrors(t *testing.T) {
	all := envoy.Mirror{Cluster: "all", Parts: 1_000_000, Of: 1_000_000}
	half := envoy.Mirror{Cluster: "half", Parts: 500_000, Of: 1_000_000}
	alike := half
	alike.Parts, alike.Of = 50, 100
	traced := half
	traced.TraceSampled = true
	list := func(mirrors ...envoy.Mirror) []envoy.Mirror { return append([]envoy.Mirror{}, mirrors...) }
	check(t, map[string]verdict{
		"those":            {BeMirrors(all, half), list(all, half), true, []string{"all 1000000/1000000", "half 500000/1000000", "not to be mirrors"}},
		"another order":    {BeMirrors(all, half), list(half, all), false, []string{"to be mirrors [all 1000000/1000000 untraced half"}},
		"one is missing":   {BeMirrors(all, half), list(all), false, nil},
		"one too many":     {BeMirrors(all), list(all, half), false, []string{"half 500000/1000000"}},
		"another fraction": {BeMirrors(half), list(alike), false, []string{"half 50/100"}},
		"traced":           {BeMirrors(half), list(traced), false, []string{"1000000 traced"}},
		"none":             {BeMirrors(), list(), true, []string{"not to be mirrors []"}},
		"none at all":      {BeMirrors(), []envoy.Mirror(nil), true, nil},
		"none wanted":      {BeMirrors(), list(all), false, []string{"to be mirrors []"}},
	})
	refuses(t, BeMirrors(), "none")
}
