package match

import (
	"net/http"
	"testing"

	"mesh-conformance/suites/internal/echo"
)

func TestBeRefused(t *testing.T) {
	refused := echo.Answer{Status: 401, Body: "Jwt is expired"}
	echoed := served("a", "")
	echoed.Status, echoed.Body = 401, "Jwt is expired"
	matcher := BeRefused(401, "expired")
	check(t, map[string]verdict{
		"all":             {matcher, answers(refused, refused), true, []string{`not to all be refused with 401 "expired"`}},
		"in other words":  {matcher, answers(refused, echo.Answer{Status: 401, Body: "Jwt is missing"}), false, []string{"Jwt is missing"}},
		"another status":  {matcher, answers(echo.Answer{Status: 403, Body: "Jwt is expired"}), false, []string{"403"}},
		"by the workload": {matcher, answers(echoed), false, []string{"from a"}},
		"let in":          {matcher, answers(served("a", "")), false, []string{"200 from a"}},
		"failed":          {matcher, failed("EOF"), false, []string{"EOF"}},
	})
	refuses(t, matcher, echo.Answers{})
}

func TestStopThere(t *testing.T) {
	local := echo.Answer{Status: 403, Body: "RBAC: access denied", ResponseHeaders: http.Header{"Server": {"istio-envoy"}}}
	behind := echo.Answer{Status: 403, Body: "RBAC: access denied", ResponseHeaders: http.Header{"X-Envoy-Upstream-Service-Time": {"1"}}}
	check(t, map[string]verdict{
		"at the first":    {StopThere(), answers(local, local), true, []string{"not to all stop at the first proxy"}},
		"one behind it":   {StopThere(), answers(local, behind), false, []string{"403"}},
		"by the workload": {StopThere(), answers(served("a", "")), false, []string{"200 from a"}},
		"failed":          {StopThere(), failed("EOF"), false, []string{"EOF"}},
	})
	refuses(t, StopThere(), echo.Answers{})
}
