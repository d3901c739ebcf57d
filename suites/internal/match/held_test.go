package match

import "testing"

func held(by string, chains ...[]string) Held { return Held{By: by, Chains: chains} }

func TestHold(t *testing.T) {
	with, without := []string{"rbac", "router"}, []string{"router"}
	check(t, map[string]verdict{
		"in every one":             {HoldInEveryChain("rbac"), []Held{held("a", with, with)}, true, []string{"not to have rbac in every filter chain", `a: [["rbac" "router"]`}},
		"in one chain only":        {HoldInEveryChain("rbac"), []Held{held("a", with, without)}, false, []string{"to have rbac in every"}},
		"at one proxy only":        {HoldInEveryChain("rbac"), []Held{held("a", with), held("b", without)}, false, []string{"last seen:\n    b: "}},
		"in none":                  {HoldInNoChain("rbac"), []Held{held("a", without, without)}, true, []string{"not to have rbac in no filter chain"}},
		"in one after all":         {HoldInNoChain("rbac"), []Held{held("a", without, with)}, false, []string{"to have rbac in no filter chain"}},
		"at another proxy":         {HoldInNoChain("rbac"), []Held{held("a", without), held("b", with)}, false, []string{"last seen:\n    b: ", "\n    a: "}},
		"exactly":                  {HoldOnly("router", "rbac"), []Held{held("a", with)}, true, []string{`["rbac" "router"] and nothing else`}},
		"more than that":           {HoldOnly("router"), []Held{held("a", with)}, false, nil},
		"less than that":           {HoldOnly("rbac", "router"), []Held{held("a", without)}, false, nil},
		"nothing":                  {HoldOnly(), []Held{held("a", []string{})}, true, []string{"not to have nothing in any filter chain"}},
		"something for nothing":    {HoldOnly(), []Held{held("a", without)}, false, nil},
		"twice what is to be once": {HoldOnly("router"), []Held{held("a", []string{"router", "router"})}, false, nil},
	})
	refuses(t, HoldInEveryChain("rbac"), []Held{})
	refuses(t, HoldInNoChain("rbac"), []Held{held("a")})
	refuses(t, HoldOnly(), []Held{held("a", with), held("b")})
}
