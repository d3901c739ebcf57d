// Package filterorder shows in which order proxies run their filters: as istiod configures it, and by what
// becomes of requests that one of them refuses.
package filterorder

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"

	"mesh-conformance/suites/internal/xds/envoy"
)

// step is one filter of a list. Filters for authorization share a name, so theirs goes on with the
// action and the policies; of a plugin's it leaves out the namespace, which differs from run to run.
type step struct {
	Name string
	// Phase is empty for a filter that the release's order does not speak of.
	Phase phase
}

// The names under which Envoy and Istio know the filters that several steps can be.
const (
	httpRBAC    = "envoy.filters.http.rbac"
	networkRBAC = "envoy.filters.network.rbac"
)

// phases of the filters that are alone of their name.
var phases = map[string]phase{
	"istio.metadata_exchange":         metadataExchange,
	"envoy.filters.http.ext_authz":    customAuthz,
	"envoy.filters.network.ext_authz": customAuthz,
	"envoy.filters.http.jwt_authn":    authn,
	"istio_authn":                     authn,
	"istio.stats":                     stats,
}

// stepsOf names the filters that a proxy of the namespace has, in their order.
func stepsOf(namespace string, filters []envoy.Filter) ([]step, error) {
	steps := make([]step, 0, len(filters))
	for _, filter := range filters {
		next, err := stepOf(namespace, filter)
		if err != nil {
			return nil, fmt.Errorf("filter %s: %w", filter.Name, err)
		}
		steps = append(steps, next)
	}
	return steps, nil
}

func stepOf(namespace string, filter envoy.Filter) (step, error) {
	if plugin, ok := strings.CutPrefix(filter.Name, namespace+"."); ok {
		// The fixtures' plugins end in the phase that they state.
		return step{Name: "wasm " + plugin, Phase: pluginPhases[plugin[strings.LastIndex(plugin, "-")+1:]]}, nil
	}
	switch filter.Name {
	case httpRBAC:
		var config httprbacv3.RBAC
		if err := filter.Config.UnmarshalTo(&config); err != nil {
			return step{}, err
		}
		return rbacStep(filter.Name, config.GetRules(), config.GetShadowRules(), config.GetShadowRulesStatPrefix()), nil
	case networkRBAC:
		var config networkrbacv3.RBAC
		if err := filter.Config.UnmarshalTo(&config); err != nil {
			return step{}, err
		}
		return rbacStep(filter.Name, config.GetRules(), config.GetShadowRules(), config.GetShadowRulesStatPrefix()), nil
	}
	return step{Name: filter.Name, Phase: phases[filter.Name]}, nil
}

// actions in the words of AuthorizationPolicy.
var actions = map[rbacv3.RBAC_Action]string{
	rbacv3.RBAC_ALLOW: "ALLOW",
	rbacv3.RBAC_DENY:  "DENY",
	rbacv3.RBAC_LOG:   "AUDIT",
}

// Istio's marks on what it makes of CUSTOM policies: rules that only find out whether to ask the provider,
// and rules that stand in for a provider there is none of.
const (
	customStatPrefix = "istio_ext_authz_"
	missingProvider  = "-deny-due-to-bad-CUSTOM-action"
)

func rbacStep(name string, rules, shadow *rbacv3.RBAC, shadowStatPrefix string) step {
	switch {
	case shadow != nil && shadowStatPrefix == customStatPrefix:
		return step{Name: rbacName(name, "CUSTOM", shadow), Phase: customAuthz}
	case rules == nil:
		return step{Name: rbacName(name, "dry run of "+actions[shadow.GetAction()], shadow), Phase: authz}
	case slices.ContainsFunc(ruleNames(rules), func(rule string) bool { return strings.HasSuffix(rule, missingProvider) }):
		return step{Name: rbacName(name, "CUSTOM without a provider", rules), Phase: customAuthz}
	}
	return step{Name: rbacName(name, actions[rules.GetAction()], rules), Phase: authz}
}

// policyOf finds an AuthorizationPolicy's name in the name of a rule made of it.
var policyOf = regexp.MustCompile(`ns\[[^]]*\]-policy\[([^]]*)\]-rule\[`)

func rbacName(name, action string, rules *rbacv3.RBAC) string {
	var policies []string
	for _, rule := range ruleNames(rules) {
		if found := policyOf.FindStringSubmatch(rule); found != nil {
			rule = found[1]
		}
		policies = append(policies, rule)
	}
	slices.Sort(policies)
	return fmt.Sprintf("%s %s (%s)", name, action, strings.Join(slices.Compact(policies), ", "))
}

func ruleNames(rules *rbacv3.RBAC) []string {
	var names []string
	for rule := range rules.GetPolicies() {
		names = append(names, rule)
	}
	return names
}

// names are those of steps, in their order.
func names(steps []step) []string {
	list := make([]string, 0, len(steps))
	for _, step := range steps {
		list = append(list, step.Name)
	}
	return list
}

// withoutPhase leaves out the steps of a phase.
func withoutPhase(steps []step, out phase) []step {
	return slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return s.Phase == out })
}
