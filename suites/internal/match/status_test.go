package match

import (
	"testing"

	"mesh-conformance/suites/internal/echo"
)

func TestHaveServerError(t *testing.T) {
	status := func(status int) echo.Answer { return echo.Answer{Status: status} }
	check(t, map[string]verdict{
		"the range":   {HaveServerError(), answers(status(500), status(503), status(599)), true, []string{"1 × 503", "a status of 500 to 599"}},
		"below":       {HaveServerError(), answers(status(503), status(499)), false, []string{"1 × 499"}},
		"above":       {HaveServerError(), answers(status(600)), false, nil},
		"no answer":   {HaveServerError(), failed("EOF"), false, []string{"EOF"}},
		"one is lost": {HaveServerError(), echo.Answers{Sent: 2, All: []echo.Answer{status(503)}}, false, nil},
	})
	refuses(t, HaveServerError(), echo.Answers{})
}
