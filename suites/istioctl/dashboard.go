package istioctl

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
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
			var info struct {
				Node struct{ ID string }
			}
			Expect(json.Unmarshal([]byte(page), &info)).To(Succeed())
			pod := bed.workloads[name].Pod
			Expect(info.Node.ID).To(Equal(nodeID(kind, pod)), "node id at %s, opened for %s", dashboard.URL, name)
			evidence.Config("node id at "+dashboard.URL+"/server_info", "%s", info.Node.ID)

			By("ending it as a user does")
			outcome, err := dashboard.Stop()
			Expect(err).NotTo(HaveOccurred())
			Expect(outcome).To(istioctl.Exit(0, "skipping opening a browser"))
		},
		Entry("of a sidecar", "server", "sidecar"),
		Entry("of a gateway", "front-door", "router"),
		// Emulated: see fixtures/istioctl/shapes.yaml.
		Entry("of a waypoint (emulated: Envoy with a waypoint's node id)", "waypoint", "waypoint"),
	)

	It("opens, by dashboard proxy, what a pod shaped as a ztunnel has on the admin port (emulated)", func(ctx SpecContext) {
		pod := bed.workloads["ztunnel"].Pod
		dashboard := open(ctx, pod.Name+"."+bed.namespace)
		page, err := dashboard.Get(ctx, "/server_info")
		Expect(err).NotTo(HaveOccurred())
		Expect(page).To(And(ContainSubstring("Hostname="+pod.Name), ContainSubstring("ServicePort=15000")), "what %s shows", dashboard.URL)
		evidence.API("page at "+dashboard.URL, "Hostname=%s, ServicePort=15000", pod.Name)
	})

	It("opens, by dashboard proxy, the pod that a selector finds", func(ctx SpecContext) {
		dashboard := open(ctx, "--selector=app=server", "--namespace="+bed.namespace)
		page, err := dashboard.Get(ctx, "/server_info")
		Expect(err).NotTo(HaveOccurred())
		Expect(page).To(ContainSubstring(nodeID("sidecar", bed.workloads["server"].Pod)), "what %s shows", dashboard.URL)
		evidence.Config("node id at "+dashboard.URL+"/server_info", "%s", nodeID("sidecar", bed.workloads["server"].Pod))
	})

	It("opens, by dashboard proxy, another port where it is told to", func(ctx SpecContext) {
		pod := bed.workloads["istiod"].Pod
		dashboard := open(ctx, pod.Name+"."+bed.namespace, "--ui-port=15999")
		page, err := dashboard.Get(ctx, "/")
		Expect(err).NotTo(HaveOccurred())
		Expect(page).To(ContainSubstring("ServicePort=15999"), "what %s shows", dashboard.URL)
		evidence.API("page at "+dashboard.URL, "ServicePort=15999 of %s", pod.Name)
	})

	DescribeTable("refuses to open a dashboard",
		func(ctx SpecContext, words string, arguments ...string) {
			outcome := istioctl.Subject().Run(ctx, append([]string{"dashboard", "proxy", "--browser=false"}, arguments...)...)
			Expect(outcome).To(istioctl.Exit(1, words))
			evidence.API("refusal", "%s", words)
		},
		Entry("of no proxy at all", "Error: specify a pod or --selector"),
		Entry("by name and selector", "Error: name cannot be provided when a selector is specified", "server", "--selector=app=server"),
		Entry("of a pod that is not there", `pods "nobody" not found`, "nobody.default"),
		Entry("by a selector that finds nobody", "Error: no pods found", "--selector=app=nobody", "--namespace=default"),
	)

	It("has no dashboard proxy in the release before", func(ctx SpecContext) {
		outcome := istioctl.Before().Run(ctx, "dashboard", "proxy", "--browser=false", "deployment/server."+bed.namespace)
		Expect(outcome).NotTo(istioctl.Exit(0))
		Expect(outcome.Stderr).To(Or(ContainSubstring(`unknown dashboard "proxy"`), ContainSubstring("unknown flag")), outcome.String())

		By("asking without flags, which it does not get to know")
		Expect(istioctl.Before().Run(ctx, "dashboard", "proxy")).To(istioctl.Exit(1, `unknown dashboard "proxy"`))
	})
}
