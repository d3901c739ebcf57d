package mirroring

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
)

// atOnce is how many requests one run of the echo client makes. Its output is long, and comes the way of
// kubectl exec: on a busy machine the end of a megabyte has got lost there.
const atOnce = 100

// ask has a workload send requests once, and records what came back.
func ask(ctx context.Context, from *echo.Workload, url string, count int, options ...echo.Option) echo.Answers {
	GinkgoHelper()
	// Over one connection: a thousand are work for a busy machine that says nothing of mirrors.
	options = append(options, echo.Flag("--http2"))
	from.Replay(url, count, options...)
	var answers echo.Answers
	for answers.Sent < count {
		got, err := from.Send(ctx, url, min(atOnce, count-answers.Sent), options...)
		Expect(err).NotTo(HaveOccurred())
		answers = answers.And(got)
	}
	evidence.Traffic(answers.Way, "%s", answers)
	return answers
}
