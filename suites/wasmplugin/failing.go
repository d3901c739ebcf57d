package wasmplugin

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	extensionsv1alpha1 "istio.io/client-go/pkg/apis/extensions/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// An agent refuses all configuration of filters together when one module cannot be had, and all plugins of
// a proxy share the VM that a panic ends: these specs have proxies of their own, and each ends what it
// has begun but for the last. The list of expected rejections knows their namespace.
var _ = Describe("A WasmPlugin that cannot run", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.WasmPlugin), func() {
	m := &mesh{}
	// outsider has no sidecar: what it is told is the server's sidecar's own word.
	var outsider *echo.Workload

	evidence.BeforeAll(func(ctx SpecContext) {
		m.ns = kube.NewNamespace(ctx, "wasm-failing", kube.Injected)
		kube.Apply(ctx, m.ns, "echo/near.yaml")
		kube.Apply(ctx, m.ns, "echo/connections.yaml")
		serveModules(ctx, m.ns)
		kube.Apply(ctx, m.ns, "wasmplugin/server.yaml")
		kube.Apply(ctx, m.ns, "echo/outsider.yaml")
		workloads := echo.Await(ctx, m.ns, "server", "outsider")
		m.server, outsider = workloads["server"], workloads["outsider"]
		Eventually(ctx, outsider.Send, timing.Push(), timing.Poll).WithArguments(m.url("http", 80)+"/", 1).Should(match.HaveStatus(http.StatusOK))
	})

	Describe("because it panics", func() {
		DescribeTable("is judged by its strategy:",
			func(ctx SpecContext, plugin string, port int, want types.GomegaMatcher) {
				kube.Apply(ctx, m.ns, "wasmplugin/crash.yaml")
				DeferCleanup(func(ctx SpecContext) {
					for _, plugin := range []string{"panics-open", "panics-closed"} {
						kube.Remove[extensionsv1alpha1.WasmPlugin](ctx, m.ns, plugin)
					}
					// Both: a filter that stays keeps the VM that has panicked, and does so no second time.
					sidecar.AwaitInbound(ctx, m.server, match.HaveNoHTTPFilter(8082, m.filter("panics-open")))
					sidecar.AwaitInbound(ctx, m.server, match.HaveNoHTTPFilter(8083, m.filter("panics-closed")))
				})
				m.awaitModule(ctx, plugin, moduleHTTP)
				sidecar.AwaitInbound(ctx, m.server, match.HaveHTTPFilter(uint32(port), m.filter(plugin)))
				By("asking until a worker, which gets its configuration after the main thread, has had the module panic")
				Eventually(ctx, func(ctx context.Context) (string, error) {
					if _, err := outsider.Send(ctx, m.url("http", port)+"/", 1); err != nil {
						return "", err
					}
					return kube.Shared().Logs(ctx, m.ns, m.server.Pod.Name, sidecar.Container, time.Time{})
				}, timing.Push(), timing.Poll).Should(ContainSubstring(plugin+": panics"), "log of the server's sidecar")

				By("measuring once")
				answers := outsider.Measure(ctx, m.url("http", port)+"/", requests)
				Expect(answers).To(want)
				Expect(sidecar.Of(m.server).DiscoveredFilters(ctx)).To(HaveKeyWithValue(m.filter(plugin), moduleHTTP))
			},
			Entry("FAIL_OPEN lets requests pass a module that panics", spec.ID("wasmplugin.panic-fail-open"),
				"panics-open", 8082, And(match.HaveStatus(http.StatusOK), match.HaveRequestHeader(header))),
			Entry("FAIL_CLOSE fails the requests to a module that panics", spec.ID("wasmplugin.panic-fail-close"),
				"panics-closed", 8083, match.HaveServerError()),
		)
	})

	Describe("because the module of a network plugin is missing", Ordered, func() {
		const port, free = 9091, 9097

		evidence.BeforeAll(func(ctx SpecContext) {
			kube.Apply(ctx, m.ns, "wasmplugin/network-missing.yaml")
			DeferCleanup(func(ctx SpecContext) {
				kube.Remove[extensionsv1alpha1.WasmPlugin](ctx, m.ns, "missing")
				sidecar.AwaitInbound(ctx, m.server, match.HaveNetworkFilters(port, tcpProxy))
			})
		})

		BeforeEach(func(ctx SpecContext) {
			By("waiting until the agent has looked for the module and the server's proxy has the filter")
			Eventually(ctx, fetchesOf(m.server), timing.Push(), timing.Poll).Should(haveFailedFetch(), "%s", counterOfFetches)
			recordFetches(ctx, m.server)
			sidecar.AwaitInbound(ctx, m.server, match.HaveNetworkFilters(port, m.filter("missing"), tcpProxy))
		})

		It("with FAIL_OPEN lets connections pass where its module is missing", spec.ID("wasmplugin.missing-network-fail-open"), func(ctx SpecContext) {
			filters, err := sidecar.Of(m.server).DiscoveredFilters(ctx)
			Expect(err).NotTo(HaveOccurred())
			about := "connections where the module of plugin missing is missing"
			if _, held := filters[m.filter("missing")]; !held {
				about = "connections where the server's proxy holds nothing in the place of the missing module"
			}
			Expect(outsider.Measure(ctx, m.url("tcp", free), requests)).To(match.HaveStatus(http.StatusOK), "a port without a plugin")
			Expect(outsider.Measure(ctx, m.url("tcp", port), requests)).To(match.HaveStatus(http.StatusOK), about)
		})
	})

	Describe("because the module of a network plugin is missing, with FAIL_CLOSE", Ordered, func() {
		const port = 9093

		withoutModule(m, "wasmplugin/network-fail-close.yaml")
		AfterAll(func(ctx SpecContext) { kube.Remove[extensionsv1alpha1.WasmPlugin](ctx, m.ns, "indispensable-network") })

		It("with FAIL_CLOSE cuts connections to a running workload off where a module is missing", spec.ID("wasmplugin.missing-network-fail-close"), func(ctx SpecContext) {
			// As with requests: a moment is given.
			Eventually(ctx, outsider.Send, timing.Moment(), timing.Poll).WithArguments(m.url("tcp", port), 1).Should(match.BeCutOff())
		})
	})

	Describe("because its module is missing, with FAIL_CLOSE", Ordered, func() {
		const port = 8081

		withoutModule(m, "wasmplugin/fail-close.yaml")

		It("with FAIL_CLOSE fails the requests to a running workload where its module is missing", spec.ID("wasmplugin.missing-http-fail-close"), func(ctx SpecContext) {
			// The agent refuses the configuration, so no proxy tells that it has landed: a moment is given.
			Eventually(ctx, outsider.Send, timing.Moment(), timing.Poll).WithArguments(m.url("http", port)+"/", 1).Should(match.HaveServerError())
		})

		// It waits for the start of a pod, and, as the last, for the end of the namespaces.
		It("with FAIL_CLOSE keeps a new workload closed until its module can be had", spec.ID("wasmplugin.missing-fail-close-new-workload"), func(ctx SpecContext) {
			By("starting the workload")
			kube.Apply(ctx, m.ns, "wasmplugin/late.yaml")
			Eventually(ctx, podsOf(m.ns, "late"), timing.Rollout(), timing.Poll).
				Should(HaveExactElements(HaveField("Status.ContainerStatuses", ContainElement(And(HaveField("Name", echo.Container), HaveField("Ready", true))))))
			pods, err := podsOf(m.ns, "late")(ctx)
			Expect(err).NotTo(HaveOccurred())
			late := &echo.Workload{Namespace: m.ns, Name: "late", Pod: &pods[0]}
			Eventually(ctx, fetchesOf(late), timing.Push(), timing.Poll).Should(haveFailedFetch(), "%s", counterOfFetches)
			recordFetches(ctx, late)

			By("measuring once, past its Service, which has no pod that is ready")
			url := "http://" + late.Pod.Status.PodIP + ":8081/"
			Expect(outsider.Measure(ctx, url, requests)).To(match.FailWith("connection refused"))
			Consistently(ctx, outsider.Send, timing.Quiet, timing.Poll).WithArguments(url, 1).Should(match.FailWith("connection refused"))

			By("naming a module that is there")
			kube.Change(ctx, m.ns, "indispensable", func(plugin *extensionsv1alpha1.WasmPlugin) {
				plugin.Spec.Url = "http://modules:8080/plugin.wasm"
			})
			opened := echo.Await(ctx, m.ns, "late")["late"]
			awaitConfigured(ctx, sidecar.Of(opened), m.filter("indispensable"), moduleHTTP)
			answers := outsider.Measure(ctx, url, requests)
			Expect(answers).To(match.HaveStatus(http.StatusOK))
			Expect(answers).To(match.HaveRequestHeader(header, "indispensable"))
		})
	})
})

// withoutModule has the specs of an ordered container begin when a plugin is applied and the agent of the running server has
// looked in vain for its module; each has that among its evidence.
func withoutModule(m *mesh, fixture string) {
	GinkgoHelper()
	var before map[string]int
	evidence.BeforeAll(func(ctx SpecContext) {
		var err error
		before, err = fetchesOf(m.server)(ctx)
		Expect(err).NotTo(HaveOccurred())
		kube.Apply(ctx, m.ns, fixture)
	})
	BeforeEach(func(ctx SpecContext) {
		By("waiting until the agent of the running server has looked for the module")
		Eventually(ctx, fetchesOf(m.server), timing.Push(), timing.Poll).
			Should(HaveKeyWithValue(downloadFailure, BeNumerically(">", before[downloadFailure])), "%s", counterOfFetches)
		recordFetches(ctx, m.server)
	})
}

// haveFailedFetch holds for the fetches of an agent one of which found no module.
func haveFailedFetch() types.GomegaMatcher {
	return HaveKeyWithValue(downloadFailure, BeNumerically(">", 0))
}

// podsOf reads the pods of a workload.
func podsOf(ns, app string) func(context.Context) ([]corev1.Pod, error) {
	return func(ctx context.Context) ([]corev1.Pod, error) {
		pods, err := kube.Shared().Clientset.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return nil, err
		}
		return pods.Items, nil
	}
}
