package mirroring

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/echo"
)

// ask has a workload send requests once, and records what came back.
func ask(ctx context.Context, from *echo.Workload, url string, count int, options ...echo.Option) echo.Answers {
	GinkgoHelper()
	// Over one connection: a thousand are work for a busy machine that says nothing of mirrors.
	return from.Measure(ctx, url, count, append(options, echo.HTTP2())...)
}
