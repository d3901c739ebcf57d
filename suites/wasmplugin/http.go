package wasmplugin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	extensionsv1alpha1 "istio.io/client-go/pkg/apis/extensions/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

func ofRequests(m *mesh) {
	DescribeTable("runs on requests and on responses:",
		func(ctx SpecContext, plugin string, port int) {
			By("looking at the server's proxy")
			m.awaitModule(ctx, plugin, moduleHTTP)
			sidecar.AwaitInbound(ctx, m.server, match.HaveHTTPFilter(uint32(port), m.filter(plugin)))

			By("measuring once")
			answers := m.ask(ctx, port)
			Expect(answers).To(match.HaveStatus(http.StatusOK))
			Expect(answers).To(match.BeServedBy(m.server))
			Expect(answers).To(match.HaveRequestHeader(header, plugin))
			Expect(answers).To(match.HaveResponseHeader(header, plugin))
		},
		Entry("a module from a URL of scheme http", spec.ID("wasmplugin.http-from-url"), "by-http", 8081),
		Entry("a module from a registry, as a Wasm artifact", spec.ID("wasmplugin.http-from-artifact"),
			"by-artifact", 8082),
		Entry("a module from a registry, as an ordinary image", spec.ID("wasmplugin.http-from-image"),
			"by-container", 8083),
		Entry("a module of a plugin without a type", spec.ID("wasmplugin.http-without-type"), "untyped", 8084),
	)

	It("leaves requests to a port that it does not match alone", spec.ID("wasmplugin.http-port-not-matched"), func(ctx SpecContext) {
		const free = 8092
		m.awaitModule(ctx, "by-http", moduleHTTP)
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNoHTTPFilter(free, m.filter("by-http")))
		answers := m.ask(ctx, free)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.HaveRequestHeader(header))
		Expect(answers).To(match.HaveResponseHeader(header))
	})

	It("may answer requests by itself, and the server sees none", spec.ID("wasmplugin.http-local-response"), func(ctx SpecContext) {
		const port = 8087
		m.awaitModule(ctx, "answering", moduleHTTP)
		answers := m.ask(ctx, port)
		Expect(answers).To(match.HaveStatus(http.StatusTeapot))
		Expect(answers).NotTo(match.BeServedBy(m.server))
		Expect(answers).To(match.HaveResponseHeader(header, "answering"))
	})

	It("runs before plugins of its phase with a smaller priority", spec.ID("wasmplugin.http-larger-priority-first"), func(ctx SpecContext) {
		const port = 8085
		for _, plugin := range []string{"order-a", "order-b", "order-c"} {
			m.awaitModule(ctx, plugin, moduleHTTP)
		}
		answers := m.ask(ctx, port)
		Expect(answers).To(match.HaveRequestHeader(header, "priority-1000", "priority-10", "no-priority"))
		// A response passes the same filters in reverse.
		Expect(answers).To(match.HaveResponseHeader(header, "no-priority", "priority-10", "priority-1000"))
	})

	Describe("whose priority is not set", func() {
		const port = 8086

		BeforeEach(func(ctx SpecContext) {
			m.awaitModule(ctx, "absent", moduleHTTP)
			m.awaitModule(ctx, "below-zero", moduleHTTP)
		})

		It("without a priority has priority 0 and runs before one with -1", spec.ID("wasmplugin.http-priority-default"), func(ctx SpecContext) {
			Expect(m.ask(ctx, port)).To(match.HaveRequestHeader(header, "no-priority", "priority-minus-1"))
		})
	})

	// The server's sidecar has a way out to the same port: what is looked at is the two listeners that the
	// requests pass.
	DescribeTable("runs on one side only:",
		func(ctx SpecContext, plugin string, port int, atServer bool) {
			inbound, outbound := match.HaveHTTPFilter(uint32(port), m.filter(plugin)), HaveEach(ContainElement(m.filter(plugin)))
			if atServer {
				outbound = HaveEach(Not(ContainElement(m.filter(plugin))))
			} else {
				inbound = Not(inbound)
			}
			By("looking at the proxies of both sides")
			listener := fmt.Sprintf("0.0.0.0_%d", port)
			sidecar.AwaitInbound(ctx, m.server, inbound)
			Eventually(ctx, sidecar.Of(m.client).HTTPFilters, timing.Push(), timing.Poll).WithArguments(listener).
				Should(outbound, "HTTP filters of listener %s of the client's sidecar", listener)
			sidecar.ReplayDump(m.client, "dynamic_listeners")

			By("measuring once")
			answers := m.ask(ctx, port)
			Expect(answers).To(match.HaveRequestHeader(header, plugin))
			Expect(answers).To(match.HaveResponseHeader(header, plugin))
		},
		Entry("for requests, mode SERVER is the server's side", spec.ID("wasmplugin.http-mode-server"),
			"inbound", 8090, true),
		Entry("for requests, mode CLIENT is the client's side", spec.ID("wasmplugin.http-mode-client"),
			"outbound", 8091, false),
	)

	It("matches requests by the port that the server's process has bound", spec.ID("wasmplugin.http-bound-port"), func(ctx SpecContext) {
		const service, bound = 80, 8080
		By("looking at the server's proxy")
		m.awaitModule(ctx, "by-bound-port", moduleHTTP)
		sidecar.AwaitInbound(ctx, m.server, match.HaveHTTPFilter(bound, m.filter("by-bound-port")))
		Expect(sidecar.Inbound(m.server)(ctx)).To(match.HaveNoHTTPFilter(bound, m.filter("by-service-port")))

		By("measuring once")
		Expect(m.ask(ctx, service)).To(match.HaveRequestHeader(header, "by-bound-port"))
	})

	It("with FAIL_OPEN lets requests pass where its module is missing", spec.ID("wasmplugin.http-missing-fail-open"), func(ctx SpecContext) {
		const port = 8089
		By("looking at the server's proxy and its agent")
		m.awaitModule(ctx, "missing", allowHTTP)
		sidecar.AwaitInbound(ctx, m.server, match.HaveHTTPFilter(port, m.filter("missing")))
		Eventually(ctx, fetchesOf(m.server), timing.Push(), timing.Poll).Should(HaveKeyWithValue(downloadFailure, BeNumerically(">", 0)), "%s", counterOfFetches)
		recordFetches(ctx, m.server)

		By("measuring once")
		answers := m.ask(ctx, port)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(m.server))
		Expect(answers).To(match.HaveRequestHeader(header))
	})

	It("runs the module that has the checksum it names, and no other", spec.ID("wasmplugin.http-checksum"), func(ctx SpecContext) {
		const port = 8088
		By("naming another checksum")
		m.awaitModule(ctx, "checked", allowHTTP)
		Eventually(ctx, fetchesOf(m.server), timing.Push(), timing.Poll).Should(HaveKeyWithValue(checksumMismatch, BeNumerically(">", 0)), "%s", counterOfFetches)
		recordFetches(ctx, m.server)
		answers := m.ask(ctx, port)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.HaveRequestHeader(header))

		By("naming the checksum of what the server of modules has")
		sum := sha256.Sum256(downloaded(ctx, m.ns))
		checksum := hex.EncodeToString(sum[:])
		kube.Change(ctx, m.ns, "checked", func(plugin *extensionsv1alpha1.WasmPlugin) { plugin.Spec.Sha256 = checksum })
		m.awaitModule(ctx, "checked", moduleHTTP)
		module, err := sidecar.Of(m.server).ModuleOf(ctx, m.filter("checked"))
		Expect(err).NotTo(HaveOccurred())
		evidence.Config("module of "+m.filter("checked"), "%s", module)
		Expect(strings.TrimSuffix(path.Base(module), ".wasm")).To(Equal(checksum), "name of the module's file")
		// The configuration is the main thread's; a probe tells when the worker has it.
		Eventually(ctx, m.client.Send, timing.Push(), timing.Poll).WithArguments(m.url("http", port)+"/", 1).Should(match.HaveRequestHeader(header, "checked"))

		By("measuring once")
		Expect(m.ask(ctx, port)).To(match.HaveRequestHeader(header, "checked"))
	})
}

// downloaded is the module as the server of modules gives it.
func downloaded(ctx SpecContext, ns string) []byte {
	GinkgoHelper()
	pods, err := kube.Shared().Clientset.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=modules"})
	Expect(err).NotTo(HaveOccurred())
	Expect(pods.Items).To(HaveExactElements(HaveField("Status.Phase", corev1.PodRunning)))
	content, err := kube.Shared().PodGet(ctx, ns, pods.Items[0].Name, 8080, "/plugin.wasm")
	Expect(err).NotTo(HaveOccurred())
	return content
}
