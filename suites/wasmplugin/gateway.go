package wasmplugin

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/certificate"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

// The hosts of the Gateway's two HTTPS servers, in the order of its listeners.
const (
	firstHost  = "a.example.com"
	secondHost = "b.example.com"
)

// certify puts a certificate for the HTTPS servers into a namespace and gives who vouches for it.
func certify(ctx context.Context, ns string) *x509.CertPool {
	GinkgoHelper()
	issued, err := certificate.Issue(firstHost, secondHost)
	Expect(err).NotTo(HaveOccurred())
	Expect(issued.Store(ctx, kube.Shared().Client, ns, "web-certificate")).To(Succeed())
	return issued.Roots
}

func ofGateway(m *mesh, trusted **x509.CertPool) {
	var (
		held    proxy.Proxy
		visitor echo.Visitor
	)

	evidence.BeforeAll(func(ctx SpecContext) {
		visitor = echo.Visitor{Address: gateway.AwaitProgrammed(ctx, m.ns, "web", gatewayv1.IPAddressType), Roots: *trusted}
		var err error
		held, err = gateway.ProxyOf(ctx, m.ns, "web")
		Expect(err).NotTo(HaveOccurred())
		awaitConfigured(ctx, held, m.filter("entering"), moduleNetwork)
		before, err := logged(ctx, held, "entering")
		Expect(err).NotTo(HaveOccurred())
		for _, url := range []string{"https://" + firstHost + "/", "https://" + secondHost + "/", "http://" + firstHost + ":9000/"} {
			Eventually(ctx, visitor.Send, timing.Push(), timing.Poll).WithArguments(url, 1).Should(match.HaveStatus(http.StatusOK), "%s", url)
		}
		// What the log has of them, of the first HTTPS server and the TCP server at least, is not to come among what a spec counts.
		Eventually(ctx, begunSince(held, "entering", before), timing.Push(), timing.Poll).Should(BeNumerically(">=", 2), "connections that plugin entering has logged in %s", held)
	})

	// visit makes requests, each on its own connection, and asserts that the plugin saw all of those.
	visit := func(ctx context.Context, url string) {
		GinkgoHelper()
		before, err := logged(ctx, held, "entering")
		Expect(err).NotTo(HaveOccurred())
		answers := visitor.Measure(ctx, url, requests)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(m.server))
		Eventually(ctx, begunSince(held, "entering", before), timing.Push(), timing.Poll).Should(Equal(requests), "connections that plugin entering has logged in %s", held)
		evidence.Traffic("connections that plugin entering saw in "+held.String(), "%d", requests)
		evidence.Replay("kubectl logs -n %s %s -c %s | grep 'wasm log'", held.Namespace, held.Pod, sidecar.Container)
	}

	It("sees the connections of its TCP server", spec.ID("wasmplugin.gateway-tcp"), func(ctx SpecContext) {
		Expect(held.FilterChains(ctx, "0.0.0.0_9000")).To(Equal([][]string{{m.filter("entering"), tcpProxy}}), "network filters of the gateway's TCP listener")
		visit(ctx, "http://"+firstHost+":9000/")
	})

	It("sees the connections of its first HTTPS server", spec.ID("wasmplugin.gateway-first-https"), func(ctx SpecContext) {
		Expect(httpsFilters(ctx, held, firstHost)).To(Equal([]string{m.filter("entering"), httpManager}), "network filters of the gateway's chain for %s", firstHost)
		visit(ctx, "https://"+firstHost+"/")
	})

	It("sees the connections of its second HTTPS server", spec.ID("wasmplugin.gateway-second-https"), func(ctx SpecContext) {
		filters, err := httpsFilters(ctx, held, secondHost)
		Expect(err).NotTo(HaveOccurred())
		Expect(filters).To(Equal([]string{m.filter("entering"), httpManager}),
			"the gateway's chain for %s has the network filters %q", secondHost, filters)
		visit(ctx, "https://"+secondHost+"/")
	})

	It("is not there where its mode is SERVER", spec.ID("wasmplugin.gateway-not-mode-server"), func(ctx SpecContext) {
		for _, listener := range []string{"0.0.0.0_443", "0.0.0.0_9000"} {
			chains, err := held.FilterChains(ctx, listener)
			Expect(err).NotTo(HaveOccurred())
			Expect(slices.Concat(chains...)).To(And(Not(BeEmpty()), Not(ContainElement(m.filter("serving")))), "network filters of listener %s", listener)
		}
		Expect(held.DiscoveredFilters(ctx)).NotTo(HaveKey(m.filter("serving")))
	})
}

// httpsFilters are the network filters of a gateway's chain for a server of HTTPS.
func httpsFilters(ctx context.Context, held proxy.Proxy, host string) ([]string, error) {
	chains, err := held.Chains(ctx, "0.0.0.0_443")
	if err != nil {
		return nil, err
	}
	for _, chain := range chains {
		if slices.Contains(chain.Proto.GetFilterChainMatch().GetServerNames(), host) {
			names := envoy.Names(chain.Network)
			evidence.Config("network filters of "+held.String()+" for "+host, "%q", names)
			sidecar.ReplayDumpOf(held, "dynamic_listeners")
			return names, nil
		}
	}
	return nil, fmt.Errorf("%s has no chain for %s among %d", held, host, len(chains))
}
