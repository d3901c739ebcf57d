package match

import (
	"net/http"
	"testing"

	"mesh-conformance/suites/internal/echo"
)

func passed(seen, received []string) echo.Answer {
	return echo.Answer{Status: 200, Hostname: "a", RequestHeaders: http.Header{"X-Wasm": seen}, ResponseHeaders: http.Header{"X-Wasm": received}}
}

func TestHaveRequestHeader(t *testing.T) {
	ab := passed([]string{"a", "b"}, nil)
	check(t, map[string]verdict{
		"in order":          {HaveRequestHeader("x-wasm", "a", "b"), answers(ab, ab), true, []string{"all reach the server with x-wasm: a, b"}},
		"in another order":  {HaveRequestHeader("x-wasm", "b", "a"), answers(ab), false, []string{`x-wasm: ["a" "b"]`}},
		"more than wanted":  {HaveRequestHeader("x-wasm", "a"), answers(ab), false, nil},
		"one lacks it":      {HaveRequestHeader("x-wasm", "a", "b"), answers(ab, passed(nil, nil)), false, []string{`x-wasm: ["a" "b"] or x-wasm: []`}},
		"none wanted":       {HaveRequestHeader("x-wasm"), answers(passed(nil, []string{"a"})), true, []string{"without x-wasm"}},
		"unwanted":          {HaveRequestHeader("x-wasm"), answers(ab), false, nil},
		"nobody told":       {HaveRequestHeader("x-wasm"), answers(echo.Answer{Status: 418}), false, []string{"418"}},
		"one is not served": {HaveRequestHeader("x-wasm"), echo.Answers{Sent: 2, All: []echo.Answer{passed(nil, nil)}}, false, nil},
		"failed":            {HaveRequestHeader("x-wasm"), failed("EOF"), false, []string{"EOF"}},
	})
	refuses(t, HaveRequestHeader("x-wasm"), echo.Answers{})
}

func TestHaveResponseHeader(t *testing.T) {
	check(t, map[string]verdict{
		"received":          {HaveResponseHeader("x-wasm", "a"), answers(passed(nil, []string{"a"})), true, []string{"all be answered with x-wasm: a"}},
		"seen by the other": {HaveResponseHeader("x-wasm", "a"), answers(passed([]string{"a"}, nil)), false, []string{"x-wasm: []"}},
		"by a proxy":        {HaveResponseHeader("x-wasm"), answers(echo.Answer{Status: 418}), true, nil},
	})
	refuses(t, HaveResponseHeader("x-wasm", "a"), echo.Answers{})
}
