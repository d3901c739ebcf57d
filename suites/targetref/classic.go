package targetref

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/sidecar"
)

// byClassic leads from a site's client through the gateway of Istio's own API of targetref/classic.yaml, once it
// answers 200.
func byClassic(ctx context.Context, s site) entrance {
	GinkgoHelper()
	classic := echo.Await(ctx, s.ns, "classic")["classic"]
	e := entrance{
		name:     "gateway classic of Istio's own API",
		proxy:    sidecar.Of(classic),
		listener: "0.0.0.0_8080",
		send: func(ctx context.Context, path string) (echo.Answers, error) {
			return s.client.Send(ctx, classic.URL(path), 1)
		},
		measure: func(ctx context.Context, path string, headers ...http.Header) echo.Answers {
			GinkgoHelper()
			return s.client.Measure(ctx, classic.URL(path), requests, options(headers)...)
		},
	}
	awaitOpen(ctx, e)
	return e
}
