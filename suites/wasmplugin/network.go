package wasmplugin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// Filters that Istio itself puts into chains of connections.
const (
	networkRBAC = "envoy.filters.network.rbac"
	tcpProxy    = "envoy.filters.network.tcp_proxy"
	httpManager = "envoy.filters.network.http_connection_manager"
)

// message is what the echo client sends on a TCP connection when it is told nothing else.
const message = "HelloWorld\n"

// logged reads what a network plugin has logged in a pod's proxy so far.
func logged(ctx context.Context, held proxy.Proxy, plugin string) (connections, error) {
	log, err := kube.Shared().Logs(ctx, held.Namespace, held.Pod, sidecar.Container, time.Time{})
	return parseConnections(log, plugin), err
}

// begunSince counts the connections that a network plugin has logged after an earlier look.
func begunSince(held proxy.Proxy, plugin string, before connections) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		after, err := logged(ctx, held, plugin)
		return after.since(before).begun, err
	}
}

// connect opens connections to a TCP port of the server, sends a message on each, once, and gives what the
// plugin in a proxy logged meanwhile: the end of at least that many connections is awaited, since a log
// arrives late.
func (m mesh) connect(ctx context.Context, port int, held proxy.Proxy, plugin string, atLeast int) (echo.Answers, connections) {
	GinkgoHelper()
	before, err := logged(ctx, held, plugin)
	Expect(err).NotTo(HaveOccurred())
	answers := m.client.Measure(ctx, m.url("tcp", port), requests)
	var seen connections
	Eventually(ctx, func(ctx context.Context) (int, error) {
		after, err := logged(ctx, held, plugin)
		seen = after.since(before)
		return min(seen.begun, len(seen.ended)), err
	}, timing.Push(), timing.Poll).Should(BeNumerically(">=", atLeast), "connections that plugin %s has logged in %s from begin to end", plugin, held)
	evidence.Traffic("connections that plugin "+plugin+" saw in "+held.String(), "%s", seen)
	evidence.Replay("kubectl logs -n %s %s -c %s | grep 'wasm log'", held.Namespace, held.Pod, sidecar.Container)
	return answers, seen
}

// outbound names the network filters of the client's listener for a TCP port of the server.
func (m mesh) outbound(port int) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		service, err := kube.Shared().Clientset.CoreV1().Services(m.ns).Get(ctx, "server", metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return sidecar.Of(m.client).FilterChains(ctx, fmt.Sprintf("%s_%d", service.Spec.ClusterIP, port))
	}
}

// Every chain of the server has the filter of the AuthorizationPolicy that allows all but one port.
func ofConnections(m *mesh) {
	It("sees every connection to the port and every byte on it", spec.ID("wasmplugin.network-connections-and-bytes"), Label(catalogue.Smoke), func(ctx SpecContext) {
		const port = 9091
		m.awaitModule(ctx, "counting", moduleNetwork)
		sidecar.AwaitInbound(ctx, m.server, match.HaveNetworkFilters(port, networkRBAC, m.filter("counting"), tcpProxy))

		By("measuring once")
		answers, seen := m.connect(ctx, port, sidecar.Of(m.server), "counting", requests)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(m.server))
		Expect(seen.begun).To(Equal(requests), "connections begun")
		Expect(seen.ended).To(And(HaveLen(requests), HaveEach(len(message))), "bytes by connection")
	})

	It("leaves connections to a port that it does not match alone", spec.ID("wasmplugin.network-port-not-matched"), Label(catalogue.Smoke), func(ctx SpecContext) {
		const free = 9097
		m.awaitModule(ctx, "counting", moduleNetwork)
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNetworkFilters(free, networkRBAC, tcpProxy))
		Expect(m.client.Measure(ctx, m.url("tcp", free), requests)).To(match.HaveStatus(http.StatusOK))
	})

	It("sees the connections that requests come on", spec.ID("wasmplugin.network-under-http"), func(ctx SpecContext) {
		const port = 8093
		m.awaitModule(ctx, "counting-requests", moduleNetwork)
		sidecar.AwaitInbound(ctx, m.server, match.HaveNetworkFilters(port, m.filter("counting-requests"), httpManager))
		held := sidecar.Of(m.server)
		before, err := logged(ctx, held, "counting-requests")
		Expect(err).NotTo(HaveOccurred())
		Expect(m.ask(ctx, port)).To(match.HaveStatus(http.StatusOK))
		// How many requests share a connection is for the client's sidecar to decide.
		Eventually(ctx, begunSince(held, "counting-requests", before), timing.Push(), timing.Poll).
			Should(BeNumerically(">", 0), "connections that plugin counting-requests has logged in %s", held)
	})

	It("for connections with mode SERVER is the server's, and the client's way to the port lacks it", spec.ID("wasmplugin.network-mode-server"), func(ctx SpecContext) {
		const port = 9091
		m.awaitModule(ctx, "counting", moduleNetwork)
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNetworkFilters(port, networkRBAC, m.filter("counting"), tcpProxy))
		Expect(m.outbound(port)(ctx)).To(HaveEach(HaveExactElements(tcpProxy)), "network filters of the client's listener for port %d", port)
		sidecar.ReplayDump(m.client, "dynamic_listeners")
	})

	It("for connections with mode CLIENT is the client's, and the server's port lacks it", spec.ID("wasmplugin.network-mode-client"), func(ctx SpecContext) {
		const port = 9092
		held := sidecar.Of(m.client)
		awaitConfigured(ctx, held, m.filter("counting-outbound"), moduleNetwork)
		Expect(m.outbound(port)(ctx)).To(HaveEach(HaveExactElements(m.filter("counting-outbound"), tcpProxy)), "network filters of the client's listener for port %d", port)
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNetworkFilters(port, networkRBAC, tcpProxy))

		By("measuring once")
		answers, seen := m.connect(ctx, port, held, "counting-outbound", requests)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(seen.begun).To(Equal(requests), "connections begun")
		there, err := logged(ctx, sidecar.Of(m.server), "counting-outbound")
		Expect(err).NotTo(HaveOccurred())
		Expect(there.begun).To(BeZero(), "connections that the client's plugin has logged at the server")
	})

	It("closes connections in phase AUTHZ, and no ALLOW policy rescues them", spec.ID("wasmplugin.network-authz-closes"), func(ctx SpecContext) {
		const closed, allowed, denied = 9093, 9097, 9094
		m.awaitModule(ctx, "closing", moduleNetwork)
		sidecar.AwaitInbound(ctx, m.server, match.HaveNetworkFilters(closed, m.filter("closing"), networkRBAC, tcpProxy))

		By("measuring once")
		// The client's proxy gives up all connections that it is still making as soon as one fails: of a number at
		// a time not all come to the server's.
		answers, seen := m.connect(ctx, closed, sidecar.Of(m.server), "closing", 1)
		Expect(answers).To(match.BeCutOff())
		Expect(seen.ended).To(HaveEach(0), "bytes by connection")

		By("asking for ports where only the policy decides")
		Expect(m.client.Measure(ctx, m.url("tcp", allowed), requests)).To(match.HaveStatus(http.StatusOK))
		// The policy lets the connection be made before it ends it: the client has no answer to read.
		Expect(m.client.Measure(ctx, m.url("tcp", denied), requests)).To(match.FailWith("expect to recv message with StatusCode=200"))
	})

	It("is no filter of connections where its type is HTTP", spec.ID("wasmplugin.network-not-type-http"), func(ctx SpecContext) {
		const port = 9095
		m.awaitModule(ctx, "counting", moduleNetwork)
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNetworkFilters(port, networkRBAC, tcpProxy))
		Consistently(ctx, sidecar.Of(m.server).DiscoveredFilters, timing.Quiet, timing.Poll).
			ShouldNot(HaveKey(m.filter("of-requests")), "configuration of filters of the server's sidecar")
		Expect(m.client.Measure(ctx, m.url("tcp", port), requests)).To(match.HaveStatus(http.StatusOK))
	})

	Describe("at a port with another number in the Service", func() {
		const bound = 9090

		BeforeEach(func(ctx SpecContext) { m.awaitModule(ctx, "counting", moduleNetwork) })

		It("matches connections by the port that the server's process has bound", spec.ID("wasmplugin.network-bound-port"), func(ctx SpecContext) {
			Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNetworkFilters(bound, networkRBAC, m.filter("by-bound-tcp"), tcpProxy))
		})
	})

}
