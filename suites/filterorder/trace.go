package filterorder

import (
	"bufio"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// trace is the line that a proxy writes of a request: fixtures/filterorder/trace.yaml.
type trace struct {
	Trace   string `json:"trace"`
	Path    string `json:"path"`
	Status  int    `json:"status"`
	Details string `json:"details"`
	// Custom is the rule of a CUSTOM policy that matched.
	Custom string `json:"custom"`
	// Token is the payload that jwt_authn has verified, Principal whom istio_authn made of it.
	Token     map[string]any `json:"token"`
	Principal string         `json:"principal"`
	// Audit says whether an AUDIT policy matched; nil before they were looked at.
	Audit *bool `json:"audit"`
}

// tracesOf reads the traces of requests for a path in a proxy's log, which has other lines too.
func tracesOf(log, path string) ([]trace, error) {
	var traces []trace
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, len(log)+1)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "{") || !strings.Contains(lines.Text(), `"trace":"filterorder"`) {
			continue
		}
		var line trace
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("trace %q: %w", lines.Text(), err)
		}
		if withoutQuery(line.Path) == path {
			traces = append(traces, line)
		}
	}
	return traces, lines.Err()
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// matchedPolicy is how Envoy names the rule by which RBAC refused.
var matchedPolicy = regexp.MustCompile(`^rbac_access_denied_matched_policy\[(.*)\]$`)

// journey is the way of a request through those filters that leave a trace, up to the one that refused it
// or to the server.
func (t trace) journey() string {
	var passed []string
	if t.Custom != "" {
		passed = append(passed, "CUSTOM matches")
	}
	if t.Token != nil {
		passed = append(passed, "jwt_authn")
	}
	if t.Principal != "" {
		passed = append(passed, "istio_authn")
	}
	if t.Audit != nil {
		audit := "AUDIT"
		if *t.Audit {
			audit += " matches"
		}
		passed = append(passed, audit)
	}
	return strings.Join(append(passed, t.end()), then)
}

func (t trace) end() string {
	if found := matchedPolicy.FindStringSubmatch(t.Details); found != nil {
		policy := policyOf.FindStringSubmatch(found[1])
		switch {
		case found[1] == "none":
			return "ALLOW refuses"
		case policy == nil:
			return found[1] + " refuses"
		case strings.HasSuffix(found[1], missingProvider):
			return policy[1] + " refuses for want of a provider"
		}
		return policy[1] + " refuses"
	}
	switch {
	case t.Details == "via_upstream":
		return "server"
	case t.Details == "ext_authz_denied":
		return "ext_authz refuses"
	case strings.HasPrefix(t.Details, "jwt_authn_access_denied"):
		return "jwt_authn refuses"
	}
	return t.Details
}

// journeys are the different ways of several requests, in the order of their first.
func journeys(traces []trace) string {
	var ways []string
	for _, trace := range traces {
		if way := trace.journey(); !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	return strings.Join(ways, " or ")
}
