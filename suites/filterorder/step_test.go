package filterorder

import (
	"testing"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"mesh-conformance/suites/internal/xds/envoy"
)

func rules(action rbacv3.RBAC_Action, policies ...string) *rbacv3.RBAC {
	made := &rbacv3.RBAC{Action: action, Policies: map[string]*rbacv3.Policy{}}
	for _, policy := range policies {
		made.Policies[policy] = &rbacv3.Policy{}
	}
	return made
}

func configured(t *testing.T, name string, config proto.Message) envoy.Filter {
	t.Helper()
	packed, err := anypb.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return envoy.Filter{Name: name, Config: packed}
}

func TestStepsAreToldApart(t *testing.T) {
	cases := map[string]struct {
		filter envoy.Filter
		want   step
	}{
		"an AUDIT policy": {
			configured(t, httpRBAC, &httprbacv3.RBAC{Rules: rules(rbacv3.RBAC_LOG, "ns[a]-policy[audit]-rule[0]")}),
			step{httpRBAC + " AUDIT (audit)", authz},
		},
		"DENY policies, several rules of one": {
			configured(t, httpRBAC, &httprbacv3.RBAC{Rules: rules(rbacv3.RBAC_DENY, "ns[a]-policy[two]-rule[1]", "ns[a]-policy[two]-rule[0]", "ns[b]-policy[one]-rule[0]")}),
			step{httpRBAC + " DENY (one, two)", authz},
		},
		"an ALLOW policy without rules for the protocol": {
			configured(t, networkRBAC, &networkrbacv3.RBAC{Rules: rules(rbacv3.RBAC_ALLOW)}),
			step{networkRBAC + " ALLOW ()", authz},
		},
		"a CUSTOM policy": {
			configured(t, networkRBAC, &networkrbacv3.RBAC{ShadowRules: rules(rbacv3.RBAC_DENY, "istio-ext-authz-ns[a]-policy[custom]-rule[0]"), ShadowRulesStatPrefix: "istio_ext_authz_"}),
			step{networkRBAC + " CUSTOM (custom)", customAuthz},
		},
		"a CUSTOM policy without a provider": {
			configured(t, httpRBAC, &httprbacv3.RBAC{Rules: rules(rbacv3.RBAC_DENY, "istio-ext-authz-ns[a]-policy[custom]-rule[0]-deny-due-to-bad-CUSTOM-action")}),
			step{httpRBAC + " CUSTOM without a provider (custom)", customAuthz},
		},
		"a dry run": {
			configured(t, httpRBAC, &httprbacv3.RBAC{ShadowRules: rules(rbacv3.RBAC_DENY, "ns[a]-policy[deny]-rule[0]"), ShadowRulesStatPrefix: "istio_dry_run_deny_"}),
			step{httpRBAC + " dry run of DENY (deny)", authz},
		},
		"a plugin of the namespace":       {envoy.Filter{Name: "apps.http-authn"}, step{"wasm http-authn", wasmAuthn}},
		"a plugin whose name says none":   {envoy.Filter{Name: "apps.large"}, step{"wasm large", ""}},
		"a plugin of another namespace":   {envoy.Filter{Name: "others.http-authn"}, step{"others.http-authn", ""}},
		"a filter of Istio's":             {envoy.Filter{Name: "istio.stats"}, step{"istio.stats", stats}},
		"a filter the order says none of": {envoy.Filter{Name: "envoy.filters.http.cors"}, step{"envoy.filters.http.cors", ""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := stepsOf("apps", []envoy.Filter{c.filter})
			if err != nil {
				t.Fatal(err)
			}
			if len(steps) != 1 || steps[0] != c.want {
				t.Errorf("got %v, want %v", steps, c.want)
			}
		})
	}
}

func TestStepsOfForeignConfigurationAreAnError(t *testing.T) {
	for _, name := range []string{httpRBAC, networkRBAC} {
		if steps, err := stepsOf("apps", []envoy.Filter{configured(t, name, &rbacv3.Policy{})}); err == nil {
			t.Errorf("%s: got %v", name, steps)
		}
	}
}

func TestChainsOfOnePlaceHaveToAgree(t *testing.T) {
	one := envoy.Chain{Network: []envoy.Filter{{Name: "istio.stats"}}}
	other := envoy.Chain{Network: []envoy.Filter{{Name: "istio_authn"}}}
	if steps, err := stepsOfChains("apps", []envoy.Chain{one, one}, false); err != nil || len(steps) != 1 {
		t.Errorf("equal chains: %v, %v", steps, err)
	}
	for name, chains := range map[string][]envoy.Chain{"different chains": {one, other}, "no chain": nil, "chains without filters": {{}}} {
		if steps, err := stepsOfChains("apps", chains, false); err == nil {
			t.Errorf("%s: got %v", name, steps)
		}
	}
	if steps, err := stepsOfChains("apps", []envoy.Chain{one}, true); err == nil {
		t.Errorf("HTTP filters of a chain without: got %v", steps)
	}
}
