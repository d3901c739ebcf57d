package targetref

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/sidecar"
)

// byClassic leads from a client through the gateway of Istio's own API of targetref/classic.yaml.
func byClassic(ctx context.Context, namespace string, client *echo.Workload) entrance {
	GinkgoHelper()
	classic := echo.Await(ctx, namespace, "classic")["classic"]
	return entrance{
		name:     "gateway classic of Istio's own API",
		proxy:    sidecar.Of(classic),
		listener: "0.0.0.0_8080",
		send: func(ctx context.Context, path string) (echo.Answers, error) {
			return client.Send(ctx, classic.DirectURL(path), 1)
		},
		measure: func(ctx context.Context, path string, headers ...http.Header) echo.Answers {
			GinkgoHelper()
			return client.Measure(ctx, classic.DirectURL(path), requests, options(headers)...)
		},
	}
}
