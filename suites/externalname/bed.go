// Package externalname holds the specs of ExternalName Services: as aliases, which
// ENABLE_EXTERNAL_NAME_ALIAS makes of them, and as services of their own, which they stay without it.
package externalname

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
)

// requests is how many requests one measurement makes.
const requests = 20

// attempts is how many requests a measurement makes that servers reset: few, since the next ones to their
// address may meet what the resets leave behind (see fixtures/externalname/concrete.yaml).
const attempts = 2

// bed is what the specs of one plane share: a caller, the servers and all Services, the same on either plane.
type bed struct {
	namespace string
	// far is a namespace without workloads.
	far string
	// client calls. server takes mutual TLS only, other takes plaintext as well, bystander is not in the mesh.
	client, server, other, bystander *echo.Workload
	// visitor calls a gateway, whose proxy is entrance.
	visitor  echo.Visitor
	entrance proxy.Proxy
}

// lay deploys the workloads and Services on a plane whose namespaces bear the labels. It is what makes the
// first spec of a container the longest, as the end of the namespaces does the last.
func (b *bed) lay(ctx context.Context, plane mesh.ControlPlane, labels ...string) {
	GinkgoHelper()
	Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
	b.namespace = kube.NewNamespace(ctx, "externalname", labels...)
	b.far = kube.NewNamespace(ctx, "externalname-far", labels...)
	// What is named comes before what names it: a resolver remembers that it found nothing.
	for _, fixture := range []string{
		"echo/connections", "echo/client", "echo/server", "echo/other-server",
		"externalname/strict", "externalname/bystander", "externalname/entrance-" + plane.Name, "externalname/gateway", "externalname/concrete", "externalname/aliases",
		"externalname/destination-rules", "externalname/virtual-services-of-aliases", "externalname/virtual-services-to-aliases",
	} {
		kube.Apply(ctx, b.namespace, fixture+".yaml")
	}
	kube.Apply(ctx, b.far, "externalname/far-alias.yaml")
	for _, alias := range []struct{ name, of string }{
		{"without-ports", "strict"},
		{"with-http-port", "strict"},
		{"with-tcp-port", "many-ports"},
		{"of-permissive", "other-server"},
		{"second", "other-server"}, {"first", "second"},
		{"loop-one", "loop-two"}, {"loop-two", "loop-one"},
		{"moved", "strict"},
		{"alias-of-ruled", "ruled"},
		{"ruled-alias", "many-ports"},
		{"routed", "server"},
		{"routed-detected", "detected"},
		{"routed-tcp", "many-ports"},
	} {
		point(ctx, b.namespace, alias.name, b.host(alias.of))
	}
	point(ctx, b.far, "far", b.host("other-server"))
	for _, service := range []string{"detected", "routed-detected"} {
		kube.Change(ctx, b.namespace, service, func(found *corev1.Service) { found.Spec.Ports[0].Name = "echo" })
	}

	workloads := echo.Await(ctx, b.namespace, "client", "server", "other-server", "bystander")
	b.client, b.server, b.other, b.bystander = workloads["client"], workloads["server"], workloads["other-server"], workloads["bystander"]
	// The cluster's DNS has a name for every pod, the registry has none.
	point(ctx, b.namespace, "outside", fmt.Sprintf("%s.%s.pod.cluster.local", strings.ReplaceAll(b.bystander.Pod.Status.PodIP, ".", "-"), b.namespace))

	By("waiting until the servers' proxies judge callers and the client's knows where they are")
	sidecar.AwaitInbound(ctx, b.server, match.TakeOnlyTLS(echo.Port))
	sidecar.AwaitInbound(ctx, b.other, Not(match.TakeOnlyTLS(echo.Port)))
	for _, known := range []struct {
		port, service string
		server        *echo.Workload
		target        string
	}{
		{"80", "server", b.server, "8080"}, {"9090", "server", b.server, "9090"},
		{"80", "strict", b.server, "8080"}, {"80", "apart", b.server, "8080"},
		{"80", "other-server", b.other, "8080"}, {"80", "ruled", b.other, "8080"},
		{"80", "many-ports", b.other, "8080"}, {"9998", "many-ports", b.other, "9090"}, {"9999", "many-ports", b.other, "9090"},
		{"81", "detected", b.bystander, "8080"},
	} {
		awaitEndpoint(ctx, sidecar.Of(b.client), b.cluster(known.port, known.service), known.server.Pod.Status.PodIP+":"+known.target)
	}
	b.openEntrance(ctx)
}

// point has an ExternalName Service stand for a name.
func point(ctx context.Context, namespace, alias, name string) {
	GinkgoHelper()
	kube.Change(ctx, namespace, alias, func(found *corev1.Service) { found.Spec.ExternalName = name })
}

// host is the full name of a Service of the bed's namespace.
func (b *bed) host(service string) string { return hostIn(b.namespace, service) }

// farHost is the full name of a Service of the other namespace.
func (b *bed) farHost(service string) string { return hostIn(b.far, service) }

func hostIn(namespace, service string) string {
	return service + "." + namespace + ".svc.cluster.local"
}

// cluster is the proxies' cluster for a port of a Service of the bed's namespace.
func (b *bed) cluster(port, service string) string {
	return "outbound|" + port + "||" + b.host(service)
}

// serverOf is the workload behind a Service that aliases stand for.
func (b *bed) serverOf(concrete string) *echo.Workload {
	return map[string]*echo.Workload{"strict": b.server, "other-server": b.other}[concrete]
}

// restrict applies a Sidecar to the client that refuses what it does not import, and waits until it is
// in force. It ends with the spec.
func (b *bed) restrict(ctx context.Context, name string) {
	GinkgoHelper()
	kube.Apply(ctx, b.namespace, "externalname/"+name+".yaml")
	DeferCleanup(func(ctx SpecContext) {
		kube.Remove[networkingv1beta1.Sidecar](ctx, b.namespace, name)
		b.awaitRoute(ctx, "80", "*", "PassthroughCluster")
	})
	Eventually(ctx, routed(sidecar.Of(b.client), "80", "*"), timing.Push(), timing.Poll).Should(
		BeEmpty(), "clusters to which the client's proxy sends hosts that it does not know")
	sidecar.ReplayDump(b.client, "dynamic_route_configs")
}

// name adds hosts of the bed's namespace to those that the Sidecar named-hosts-only imports.
func (b *bed) name(ctx context.Context, services ...string) {
	GinkgoHelper()
	kube.Change(ctx, b.namespace, "named-hosts-only", func(found *networkingv1beta1.Sidecar) {
		for _, service := range services {
			found.Spec.Egress[0].Hosts = append(found.Spec.Egress[0].Hosts, "./"+b.host(service))
		}
	})
}

// attempt is ask for requests that proxies send in plaintext to a server that does not take it.
func (b *bed) attempt(ctx context.Context, host string, options ...echo.Option) echo.Answers {
	GinkgoHelper()
	return b.client.Measure(ctx, "http://"+host+"/", attempts, options...)
}

// ask measures requests of the client for a host.
func (b *bed) ask(ctx context.Context, host string, options ...echo.Option) echo.Answers {
	GinkgoHelper()
	return b.client.Measure(ctx, "http://"+host+"/", requests, options...)
}
