package match

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
)

// HaveRequestHeader holds for requests with each of which the echo server saw exactly these values of a
// header, in this order; without values, for requests it saw without the header.
func HaveRequestHeader(name string, values ...string) types.GomegaMatcher {
	return everyHeader("reach the server", name, values, func(answer echo.Answer) (http.Header, bool) {
		// Without an echo server's answer, nobody told what it saw.
		return answer.RequestHeaders, answer.Hostname != ""
	})
}

// HaveResponseHeader is HaveRequestHeader for the headers that the caller received.
func HaveResponseHeader(name string, values ...string) types.GomegaMatcher {
	return everyHeader("be answered", name, values, func(answer echo.Answer) (http.Header, bool) {
		return answer.ResponseHeaders, true
	})
}

func everyHeader(way, name string, want []string, of func(echo.Answer) (headers http.Header, told bool)) types.GomegaMatcher {
	description := fmt.Sprintf("all %s with %s: %s", way, name, strings.Join(want, ", "))
	if len(want) == 0 {
		description = fmt.Sprintf("all %s without %s", way, name)
	}
	return judgeAnswers(description, func(answers echo.Answers) (bool, string) {
		ok := complete(answers)
		var seen []string
		for _, answer := range answers.All {
			headers, told := of(answer)
			got := headers.Values(name)
			ok = ok && told && slices.Equal(got, want)
			if kind := fmt.Sprintf("%s: %q", name, got); !slices.Contains(seen, kind) {
				seen = append(seen, kind)
			}
		}
		return ok, fmt.Sprintf("%s, with %s", answers, strings.Join(seen, " or "))
	})
}
