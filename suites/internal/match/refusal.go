package match

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
)

// BeRefused holds for requests that a proxy itself turned away, all with the status and in the words.
func BeRefused(status int, words string) types.GomegaMatcher {
	return everyAnswer(fmt.Sprintf("all be refused with %d %q", status, words), func(answer echo.Answer) bool {
		return answer.Status == status && answer.Hostname == "" && strings.Contains(answer.Body, words)
	})
}

// upstreamTime is what Envoy adds to answers that it got from further on.
const upstreamTime = "X-Envoy-Upstream-Service-Time"

// StopThere holds for requests that the proxy they were sent to answered itself, without asking anybody behind it.
func StopThere() types.GomegaMatcher {
	return everyAnswer("all stop at the first proxy", func(answer echo.Answer) bool {
		return answer.Hostname == "" && answer.ResponseHeaders.Get(upstreamTime) == ""
	})
}
