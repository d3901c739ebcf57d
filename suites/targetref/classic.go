package targetref

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/echo"
)

// byClassic leads from a client through the gateway of Istio's own API of targetref/classic.yaml.
func byClassic(ctx context.Context, namespace string, client *echo.Workload) entrance {
	GinkgoHelper()
	classic := bySidecar(client, echo.Await(ctx, namespace, "classic")["classic"])
	classic.name, classic.listener = "gateway classic of Istio's own API", "0.0.0.0_8080"
	return classic
}
