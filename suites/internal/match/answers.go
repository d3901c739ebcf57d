package match

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"

	"mesh-conformance/suites/internal/echo"
)

// HaveStatus holds for requests that were all answered, all with the status.
func HaveStatus(status int) types.GomegaMatcher {
	return everyAnswer(fmt.Sprintf("all have status %d", status), func(answer echo.Answer) bool {
		return answer.Status == status
	})
}

// BeDenied holds for requests that were all turned away by an AuthorizationPolicy.
func BeDenied() types.GomegaMatcher {
	return everyAnswer("all be denied by a policy", func(answer echo.Answer) bool {
		// The status alone could be the server's own.
		return answer.Status == http.StatusForbidden && strings.Contains(answer.Body, "RBAC: access denied")
	})
}

// BeServedBy holds for requests that were all answered by the echo workload.
func BeServedBy(workload *echo.Workload) types.GomegaMatcher {
	return everyAnswer("all be served by "+workload.Pod.Name, func(answer echo.Answer) bool {
		return answer.Hostname == workload.Pod.Name
	})
}

// HaveSPIFFE holds where the server saw the caller's identity with every request; "" is that of
// callers without a certificate.
func HaveSPIFFE(id string) types.GomegaMatcher {
	want := "all come from " + id
	if id == "" {
		want = "all come from a caller without an identity"
	}
	return judgeAnswers(want, func(answers echo.Answers) (bool, string) {
		var callers []string
		ok := complete(answers)
		for _, answer := range answers.All {
			// Without an echo server's answer, nobody told who called.
			ok = ok && answer.Hostname != "" && answer.Client() == id
			callers = append(callers, fmt.Sprintf("%q", answer.Client()))
		}
		return ok, fmt.Sprintf("%s, called by %s", answers, strings.Join(callers, ", "))
	})
}

// Present holds for answers from the host over TLS connections whose far end presented the certificate.
func Present(certificate *x509.Certificate) types.GomegaMatcher {
	return judgeAnswers(fmt.Sprintf("all present certificate %x", certificate.SerialNumber), func(answers echo.Answers) (bool, string) {
		var presented []string
		ok := complete(answers)
		for _, answer := range answers.All {
			if answer.Certificate == nil {
				ok = false
				presented = append(presented, "none")
				continue
			}
			ok = ok && answer.Certificate.Equal(certificate)
			presented = append(presented, fmt.Sprintf("%x of %s", answer.Certificate.SerialNumber, answer.Certificate.Subject))
		}
		return ok, fmt.Sprintf("%s, presenting %s", answers, strings.Join(presented, ", "))
	})
}

// cuts are how a connection ends that the far side took and did not want. A connection that nobody
// took, a timeout or a name that does not resolve is not among them: it would pass for a proxy's
// refusal wherever the proxy is not running or the way there is broken.
var cuts = []string{"connection reset by peer", "EOF"}

// BeCutOff holds for requests all of whose connections the far side took and broke.
func BeCutOff() types.GomegaMatcher {
	return judgeAnswers("all be cut off by the far side", func(answers echo.Answers) (bool, string) {
		return cutOff(answers), answers.String()
	})
}

func cutOff(answers echo.Answers) bool {
	return answers.Failed == answers.Sent && slices.ContainsFunc(cuts, func(end string) bool {
		return strings.HasSuffix(answers.Failure, end)
	})
}

// turns are how a request ends whose certificate the far side does not take. By TLS 1.3 the caller may be writing
// already when the server's alert comes and the connection ends: then it learns of the end only.
var turns = []string{"unknown certificate authority", "broken pipe"}

// BeTurnedAway holds for requests that all failed because of the certificate that they were made with.
func BeTurnedAway() types.GomegaMatcher {
	return judgeAnswers("all be turned away for their certificate", func(answers echo.Answers) (bool, string) {
		turned := answers.Failed == answers.Sent && slices.ContainsFunc(turns, func(end string) bool {
			return strings.Contains(answers.Failure, end)
		})
		return turned || cutOff(answers), answers.String()
	})
}

// FailWith holds for requests that all failed on the caller's side, with a message that has the text.
func FailWith(text string) types.GomegaMatcher {
	return judgeAnswers(fmt.Sprintf("all fail with %q", text), func(answers echo.Answers) (bool, string) {
		return strings.Contains(answers.Failure, text) && answers.Failed == answers.Sent, answers.String()
	})
}

func everyAnswer(want string, right func(echo.Answer) bool) types.GomegaMatcher {
	return judgeAnswers(want, func(answers echo.Answers) (bool, string) {
		ok := complete(answers)
		for _, answer := range answers.All {
			ok = ok && right(answer)
		}
		return ok, answers.String()
	})
}

// judgeAnswers asserts the denominator before anything: of no requests, nothing can be said.
func judgeAnswers(want string, judge func(echo.Answers) (bool, string)) types.GomegaMatcher {
	return judging(want, func(answers echo.Answers) (bool, string, error) {
		if answers.Sent == 0 {
			return false, answers.String(), errors.New("no request was sent")
		}
		ok, seen := judge(answers)
		if answers.Way != "" {
			seen = answers.Way + ": " + seen
		}
		return ok, seen, nil
	})
}

// complete says whether every request was answered.
func complete(answers echo.Answers) bool {
	return answers.Failed == 0 && len(answers.All) == answers.Sent
}
