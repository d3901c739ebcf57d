package istioctl

import (
	"encoding/json"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/spec"
)

// dashboards are the specs on what a user opens a proxy's admin page with.
func dashboards(bed *proxies) {
	open := func(ctx SpecContext, arguments ...string) *istioctl.Dashboard {
		GinkgoHelper()
		// A free port of this machine: other processes have dashboards open at the same time.
		return istioctl.Subject().Dashboard(ctx, append([]string{"dashboard", "proxy", "--browser=false", "--port=0"}, arguments...)...)
	}

	DescribeTable("opens the admin page, by dashboard proxy,",
		func(ctx SpecContext, name, kind string) {
			dashboard := open(ctx, "deployment/"+name+"."+bed.namespace)
			page, err := dashboard.Get(ctx, "/server_info")
			Expect(err).NotTo(HaveOccurred())
			expectNode(page, kind, bed.workloads[name].Pod, dashboard)

			By("ending it as a user does")
			outcome, err := dashboard.Stop()
			Expect(err).NotTo(HaveOccurred())
			Expect(outcome).To(istioctl.Exit(0, "skipping opening a browser"))
		},
		Entry("of a sidecar", spec.ID("istioctl.dashboard-proxy-sidecar"), "server", "sidecar"),
		Entry("of a gateway", spec.ID("istioctl.dashboard-proxy-gateway"), "front-door", "router"),
		// Emulated: see fixtures/istioctl/shapes.yaml.
		Entry("of a waypoint (emulated: Envoy with a waypoint's node id)", spec.ID("istioctl.dashboard-proxy-waypoint"),
			"waypoint", "waypoint"),
	)

	It("opens, by dashboard proxy, what a pod shaped as a ztunnel has on the admin port (emulated)", spec.ID("istioctl.dashboard-proxy-ztunnel"), func(ctx SpecContext) {
		pod := bed.workloads["ztunnel"].Pod
		dashboard := open(ctx, pod.Name+"."+bed.namespace)
		page, err := dashboard.Get(ctx, "/server_info")
		Expect(err).NotTo(HaveOccurred())
		expectEcho(page, "Hostname", pod.Name, dashboard)
		expectEcho(page, "ServicePort", "15000", dashboard)
		evidence.API("page at "+dashboard.URL, "Hostname=%s, ServicePort=15000", pod.Name)
	})

	It("opens, by dashboard proxy, the pod that a selector finds", spec.ID("istioctl.dashboard-proxy-selector"), func(ctx SpecContext) {
		dashboard := open(ctx, "--selector=app=server", "--namespace="+bed.namespace)
		page, err := dashboard.Get(ctx, "/server_info")
		Expect(err).NotTo(HaveOccurred())
		expectNode(page, "sidecar", bed.workloads["server"].Pod, dashboard)
	})

	It("opens, by dashboard proxy, another port where it is told to", spec.ID("istioctl.dashboard-proxy-port"), func(ctx SpecContext) {
		pod := bed.workloads["istiod"].Pod
		dashboard := open(ctx, pod.Name+"."+bed.namespace, "--ui-port=15999")
		page, err := dashboard.Get(ctx, "/")
		Expect(err).NotTo(HaveOccurred())
		expectEcho(page, "Hostname", pod.Name, dashboard)
		expectEcho(page, "ServicePort", "15999", dashboard)
		evidence.API("page at "+dashboard.URL, "ServicePort=15999 of %s", pod.Name)
	})

	It("opens, by dashboard proxy, at the address of this machine that it is told", spec.ID("istioctl.dashboard-proxy-address"), func(ctx SpecContext) {
		dashboard := open(ctx, "deployment/server."+bed.namespace, "--address=127.0.0.2")
		Expect(dashboard.URL).To(HavePrefix("http://127.0.0.2:"), "where the dashboard is")
		page, err := dashboard.Get(ctx, "/server_info")
		Expect(err).NotTo(HaveOccurred())
		expectNode(page, "sidecar", bed.workloads["server"].Pod, dashboard)
	})

	DescribeTable("refuses to open a dashboard",
		func(ctx SpecContext, words string, arguments ...string) {
			outcome := istioctl.Subject().Run(ctx, append([]string{"dashboard", "proxy", "--browser=false"}, arguments...)...)
			Expect(outcome).To(istioctl.Exit(1, words))
			evidence.API("refusal", "%s", words)
		},
		Entry("of no proxy at all", spec.ID("istioctl.dashboard-proxy-refuses-nothing"),
			"Error: specify a pod or --selector"),
		Entry("by name and selector", spec.ID("istioctl.dashboard-proxy-refuses-name-selector"),
			"Error: name cannot be provided when a selector is specified", "server", "--selector=app=server"),
		Entry("of a pod that is not there", spec.ID("istioctl.dashboard-proxy-refuses-missing-pod"),
			`pods "nobody" not found`, "nobody.default"),
		Entry("by a selector that finds nobody", spec.ID("istioctl.dashboard-proxy-refuses-empty-selector"),
			"Error: no pods found", "--selector=app=nobody", "--namespace=default"),
	)

	It("has no dashboard proxy in the release before", spec.ID("istioctl.dashboard-proxy-not-before"), func(ctx SpecContext) {
		outcome := istioctl.Before().Run(ctx, "dashboard", "proxy", "--browser=false", "deployment/server."+bed.namespace)
		Expect(outcome).NotTo(istioctl.Exit(0))
		Expect(outcome.Stderr).To(Or(ContainSubstring(`unknown dashboard "proxy"`), ContainSubstring("unknown flag")), outcome.String())

		By("asking without flags, which it does not get to know")
		Expect(istioctl.Before().Run(ctx, "dashboard", "proxy")).To(istioctl.Exit(1, `unknown dashboard "proxy"`))
		evidence.API("dashboard proxy of the release before", `unknown dashboard "proxy"`)
	})
}

// expectNode judges whose admin page it is that a dashboard shows.
func expectNode(page, kind string, pod *corev1.Pod, dashboard *istioctl.Dashboard) {
	GinkgoHelper()
	var info struct {
		Node struct{ ID string }
	}
	Expect(json.Unmarshal([]byte(page), &info)).To(Succeed(), "page at %s: %s", dashboard.URL, page)
	// Identical, since Equal shows only where two long strings begin to differ.
	Expect(info.Node.ID).To(BeIdenticalTo(nodeID(kind, pod)), "node id at %s", dashboard.URL)
	evidence.Config("node id at "+dashboard.URL+"/server_info", "%s", info.Node.ID)
}

// expectEcho judges one line of what the echo server says, at the page that a dashboard shows.
func expectEcho(page, key, want string, dashboard *istioctl.Dashboard) {
	GinkgoHelper()
	Expect(echoed(page, key)).To(BeIdenticalTo(want), "%s that the page at %s shows", key, dashboard.URL)
}

// echoed is the value of a line key=value, "" where there is none.
func echoed(page, key string) string {
	found := regexp.MustCompile(`(?m)^` + key + `=(\S*)$`).FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return found[1]
}
