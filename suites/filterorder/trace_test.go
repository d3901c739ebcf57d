package filterorder

import (
	"strings"
	"testing"
)

const proxyLog = `2026-01-01T00:00:00.000000Z	info	ads	ADS: new connection for node:server
{"audit":true,"custom":"istio-ext-authz-ns[a]-policy[custom]-rule[0]","details":"via_upstream","path":"/all?headers=x:y","principal":"iss/sub","status":200,"token":{"iss":{"sub":"sub"}},"trace":"filterorder"}
{"audit":false,"custom":null,"details":"via_upstream","path":"/quiet","principal":null,"status":200,"token":null,"trace":"filterorder"}
{"audit":null,"custom":"istio-ext-authz-ns[a]-policy[custom]-rule[0]","details":"ext_authz_denied","path":"/asked","principal":null,"status":402,"token":null,"trace":"filterorder"}
{"audit":null,"custom":null,"details":"jwt_authn_access_denied{Jwt_verification_fails}","path":"/token","principal":null,"status":401,"token":null,"trace":"filterorder"}
{"audit":true,"custom":null,"details":"rbac_access_denied_matched_policy[ns[a]-policy[deny]-rule[0]]","path":"/deny","principal":null,"status":403,"token":null,"trace":"filterorder"}
{"audit":false,"custom":null,"details":"rbac_access_denied_matched_policy[none]","path":"/allow","principal":null,"status":403,"token":null,"trace":"filterorder"}
{"audit":null,"custom":null,"details":"rbac_access_denied_matched_policy[istio-ext-authz-ns[a]-policy[missing]-rule[0]-deny-due-to-bad-CUSTOM-action]","path":"/missing","principal":null,"status":403,"token":null,"trace":"filterorder"}
{"audit":null,"custom":null,"details":"upstream_reset_before_response_started{connection_termination}","path":"/reset","principal":null,"status":503,"token":null,"trace":"filterorder"}
{"path":"/all","trace":"another"}
`

func TestJourneys(t *testing.T) {
	cases := map[string]string{
		"/all":     "CUSTOM matches → jwt_authn → istio_authn → AUDIT matches → server",
		"/quiet":   "AUDIT → server",
		"/asked":   "CUSTOM matches → ext_authz refuses",
		"/token":   "jwt_authn refuses",
		"/deny":    "AUDIT matches → deny refuses",
		"/allow":   "AUDIT → ALLOW refuses",
		"/missing": "missing refuses for want of a provider",
		"/reset":   "upstream_reset_before_response_started{connection_termination}",
	}
	for path, want := range cases {
		t.Run(path, func(t *testing.T) {
			traces, err := tracesOf(proxyLog, path)
			if err != nil {
				t.Fatal(err)
			}
			if got := journeys(traces); got != want {
				t.Errorf("journeys %q, want %q", got, want)
			}
		})
	}
}

func TestDifferentJourneysAreNamedOnce(t *testing.T) {
	yes, no := true, false
	traces := []trace{{Details: "via_upstream", Audit: &yes}, {Details: "via_upstream", Audit: &no}, {Details: "via_upstream", Audit: &yes}}
	if got, want := journeys(traces), "AUDIT matches → server or AUDIT → server"; got != want {
		t.Errorf("journeys %q, want %q", got, want)
	}
	if got := journeys(nil); got != "" {
		t.Errorf("journeys %q of nothing", got)
	}
}

func TestTracesAreThoseOfThePath(t *testing.T) {
	if traces, err := tracesOf(proxyLog, "/none"); err != nil || len(traces) != 0 {
		t.Errorf("traces %v, %v of a path that nobody asked for", traces, err)
	}
	twice := proxyLog + strings.Split(proxyLog, "\n")[2] + "\n"
	if traces, err := tracesOf(twice, "/quiet"); err != nil || len(traces) != 2 {
		t.Errorf("%d traces, %v, want 2", len(traces), err)
	}
	if traces, err := tracesOf(`{"trace":"filterorder","path":`+"\n", "/"); err == nil {
		t.Errorf("a broken line gave %v", traces)
	}
}
