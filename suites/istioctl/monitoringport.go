package istioctl

import (
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
)

// refusedPort is what istioctl says of a port that nobody listens on.
const refusedPort = "connect: connection refused"

// The plane switched has another monitoring port: see its operator file. It serves no proxy but the one that the
// specs bring.
var _ = Describe("At an istiod whose monitoring port is not 15014, istioctl", Ordered, ContinueOnFailure, Label(catalogue.Istioctl), func() {
	var namespace string
	revision := "--revision=" + mesh.Switched().Revision

	evidence.BeforeAll(func(ctx SpecContext) {
		Expect(mesh.Await(ctx, kube.Shared(), mesh.Switched())).To(Succeed())
		namespace = kube.NewNamespace(ctx, "istioctl-port", mesh.OfStock)
		kube.Apply(ctx, namespace, "istioctl/routed.yaml")
		proxy, err := xds.HoldOf(ctx, kube.Shared(), mesh.Namespace, mesh.Switched().Revision, xds.Node{
			Kind: xds.Sidecar, IP: "192.0.2.95", Pod: "ghost", Namespace: namespace,
			Labels: map[string]string{"app": "ghost"}, IstioVersion: session.Job().Cell.Istio,
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(proxy.Stop()).To(Succeed()) })
	})

	It("reports the version of the control plane and of its proxies", spec.ID("istioctl.monitoring-port-version"), func(ctx SpecContext) {
		subject := istioctl.Subject()
		outcome := subject.Run(ctx, "version", revision)
		Expect(outcome).To(istioctl.Exit(0, "control plane version: "+subject.Version, "data plane version: "+subject.Version+" ("))
		Expect(outcome).NotTo(istioctl.Say(refusedPort))
		evidence.API("version", "%s", strings.TrimSpace(outcome.Stdout))

		By("asking with the release before")
		before := istioctl.Before().Run(ctx, "version", revision)
		Expect(before).To(istioctl.Say(refusedPort))
		Expect(before).NotTo(istioctl.Say("data plane version"))
	})

	It("reports the state of its proxies", spec.ID("istioctl.monitoring-port-proxy-status"), func(ctx SpecContext) {
		subject := istioctl.Subject()
		var row string
		// Between a push, which any spec may bring about, and the proxy's word on it a proxy is STALE.
		Eventually(ctx, func(g Gomega) {
			outcome := subject.Run(ctx, "proxy-status", revision)
			g.Expect(outcome).To(istioctl.Exit(0))
			// Its own row: other specs' proxies have theirs beside it.
			row = rowOf(outcome.Stdout, "ghost."+namespace)
			g.Expect(row).To(And(ContainSubstring(" SYNCED "), ContainSubstring(" "+mesh.Switched().Deployment()+"-"), HaveSuffix(" "+subject.Version)),
				"row of ghost.%s", namespace)
		}, timing.Push(), timing.Poll).Should(Succeed(), "proxy-status of ghost.%s at revision %s", namespace, revision)
		evidence.API("proxy-status", "%s", row)

		By("asking with the release before")
		Expect(istioctl.Before().Run(ctx, "proxy-status", revision)).To(istioctl.Exit(1, refusedPort))
	})

	It("reports its remote clusters", spec.ID("istioctl.monitoring-port-remote-clusters"), func(ctx SpecContext) {
		// There is none, and the head of an empty list does not tell who gave it: the log of requests does.
		outcome := istioctl.Subject().Run(ctx, "remote-clusters", revision, "--vklog=6")
		Expect(outcome).To(istioctl.Exit(0))
		Expect(rowOf(outcome.Stdout, "NAME")).To(Equal("NAME SECRET STATUS ISTIOD"), "head of the list")
		asked := forwarded(outcome.Stdout + "\n" + outcome.Stderr)
		Expect(asked).To(HaveExactElements(HavePrefix(mesh.Switched().Deployment()+"-")), "pods asked")
		evidence.API("remote-clusters", "%s, from %v", rowOf(outcome.Stdout, "NAME"), asked)

		By("asking with the release before")
		Expect(istioctl.Before().Run(ctx, "remote-clusters", revision)).To(istioctl.Exit(1, refusedPort))
	})

	It("waits until its proxies have an object's configuration", spec.ID("istioctl.monitoring-port-wait"), func(ctx SpecContext) {
		// The flag says where it watches the object, the name's suffix which one it asks istiod about
		// (Istio 1.20, istioctl/pkg/wait/wait.go).
		arguments := []string{"experimental", "wait", revision, "--for=distribution", "--namespace=" + namespace, "virtualservice", "routed." + namespace}
		outcome := istioctl.Subject().Run(ctx, append(arguments, "--threshold=0.01", "--timeout=20s")...)
		Expect(outcome).To(istioctl.Exit(0, namespace+"/routed present on"))
		evidence.API("x wait", "%s", strings.TrimSpace(outcome.Stdout))

		By("waiting for a generation that the object does not have")
		Expect(istioctl.Subject().Run(ctx, append(arguments, "--generation=99", "--timeout=1s")...)).
			To(istioctl.Exit(1, "timeout expired before resource"))

		By("waiting with the release before")
		Expect(istioctl.Before().Run(ctx, arguments...)).To(istioctl.Exit(1, refusedPort))
	})
})

// forwarding is what client-go logs of a port that it forwards to a pod.
var forwarding = regexp.MustCompile(`POST https?://\S+/pods/([^/\s]+)/portforward`)

// forwarded are the pods that ports were forwarded to, by a log.
func forwarded(log string) []string {
	var pods []string
	for _, match := range forwarding.FindAllStringSubmatch(log, -1) {
		if !slices.Contains(pods, match[1]) {
			pods = append(pods, match[1])
		}
	}
	return pods
}

// rowOf is the row of a table that begins with a word, its columns one blank apart.
func rowOf(table, first string) string {
	for line := range strings.Lines(table) {
		if columns := strings.Fields(line); len(columns) > 0 && columns[0] == first {
			return strings.Join(columns, " ")
		}
	}
	return ""
}
