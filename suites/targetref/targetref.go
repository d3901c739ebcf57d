// Package targetref proves that policies attach to one Gateway by targetRef, and to nothing beside it.
package targetref

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/kube"
)

// requests are how many one measurement sends.
const requests = 10

// site is where a policy that names Gateway gw-a is applied, with all that it must not reach: the sibling
// gw-b, the backend behind both, and a Gateway of the same name in another namespace.
type site struct {
	// ns is the namespace of the policies; elsewhere has the namesake.
	ns, elsewhere string
	// a, b and namesake lead through a Gateway, backend from a workload of the mesh to the backend.
	a, b, namesake, backend entrance
	// server is the backend of a and b, client its caller inside the mesh; both have sidecars.
	server, client *echo.Workload
}

// build makes a site whose namespaces begin with prefix and waits until every way into it answers 200. What a
// row needs beside it, as fixtures for the policies' namespace, starts with it. Six pods start: the first spec of
// a container is the longest for it, and the last for their end, on a busy machine over 20 s.
func build(ctx context.Context, prefix string, beside ...string) site {
	GinkgoHelper()
	s := site{
		ns:        kube.NewNamespace(ctx, prefix, kube.Injected),
		elsewhere: kube.NewNamespace(ctx, prefix+"-elsewhere"),
	}
	// All start at once: the waits overlap.
	for _, fixture := range append(beside,
		"targetref/gw-a.yaml", "targetref/gw-b.yaml", "echo/server.yaml", "echo/client.yaml", "targetref/fresh-connections.yaml",
	) {
		kube.Apply(ctx, s.ns, fixture)
	}
	for _, fixture := range []string{"targetref/gw-a.yaml", "echo/server.yaml"} {
		kube.Apply(ctx, s.elsewhere, fixture)
	}
	workloads := echo.Await(ctx, s.ns, "server", "client")
	s.server, s.client = workloads["server"], workloads["client"]
	echo.Await(ctx, s.elsewhere, "server")

	s.a = byGateway(ctx, s.ns, "gw-a")
	s.b = byGateway(ctx, s.ns, "gw-b")
	s.namesake = byGateway(ctx, s.elsewhere, "gw-a")
	s.backend = bySidecar(s.client, s.server)
	awaitOpen(ctx, s.a, s.b, s.namesake, s.backend)
	return s
}
