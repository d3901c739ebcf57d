package tcpmetadata

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
	"mesh-conformance/suites/internal/xds/envoy"
)

// handshakes is how many connections one measurement makes.
const handshakes = 10

// certificates is where the agent of tcpmetadata/peer.yaml writes its workload's certificate.
const certificates = "/etc/peer-certificates"

// The peers are the only workloads that have a sidecar of these planes: see tcpmetadata/inbound-only.yaml for
// how any Envoy can do with what is sent to them.
var _ = Describe("The TLS handshake of a TCP port", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.TCPMetadata), func() {
	peers := map[string]*echo.Workload{}

	evidence.BeforeAll(func(ctx SpecContext) {
		namespaces := map[string]string{}
		for _, plane := range []mesh.ControlPlane{mesh.Stock(), mesh.Switched()} {
			Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
			namespaces[plane.Name] = kube.NewNamespace(ctx, "tcpmetadata-"+plane.Name, mesh.OfStock, "istio.io/rev="+plane.Revision)
			DeferCleanup(removePeer, namespaces[plane.Name])
			kube.Apply(ctx, namespaces[plane.Name], "tcpmetadata/inbound-only.yaml")
		}
		for _, plane := range []mesh.ControlPlane{mesh.Stock(), mesh.Switched()} {
			namespace := namespaces[plane.Name]
			// A sidecar that came earlier would refuse what it is sent, if only for a moment.
			Eventually(ctx, istiosOwn, timing.Push(), timing.Poll).WithArguments(plane, namespace).Should(BeEmpty(),
				"what is Istio's own for sidecars of %s on the plane %s", namespace, plane.Name)
			kube.Apply(ctx, namespace, "tcpmetadata/peer.yaml")
		}
		for name, namespace := range namespaces {
			peers[name] = echo.Await(ctx, namespace, "peer")["peer"]
		}
	})

	// Before the others: a connection of theirs may reach the log when they have ended.
	It("leads to the application whatever it agrees on", spec.ID("tcpmetadata.handshake-reaches-application"), func(ctx SpecContext) {
		for from, to := range map[string]string{"stock": "switched", "switched": "stock"} {
			server := peers[to]
			sidecar.AwaitInbound(ctx, server, ContainElement(HaveField("Name", chainOf(tcpPort))))
			before := served(ctx, server)
			agreements := shake(ctx, peers[from], server, tcpPort, token, "istio")
			Expect(agreements).To(HaveLen(handshakes))
			Eventually(ctx, func(ctx context.Context) int { return served(ctx, server) - before }, timing.Push(), timing.Poll).
				Should(Equal(handshakes), "connections that reached the application on the plane %s", to)
			evidence.Traffic("connections to the application on the plane "+to, "%d of %d", handshakes, handshakes)
		}
	})

	// The last spec's time is mostly the end of the two namespaces.
	DescribeTable("agrees",
		func(ctx SpecContext, from, to string, port int, offered []string, agreed string) {
			By("waiting until the server's proxy holds the port's filter chains")
			sidecar.AwaitInbound(ctx, peers[to], ContainElement(HaveField("Name", chainOf(port))))

			By("measuring once")
			agreements := shake(ctx, peers[from], peers[to], port, offered...)
			wanted := agreement{Version: "1.3", Negotiated: agreed, Server: peers[to].SPIFFE()}
			Expect(tally(agreements)).To(Equal(fmt.Sprintf("%d × %s", handshakes, wanted)),
				"%s offered to port %d on the plane %s", strings.Join(offered, ", "), port, to)
		},
		Entry("on the exchange by default", spec.ID("tcpmetadata.handshake-default"),
			Label(catalogue.Smoke), "switched", "stock", tcpPort, []string{token, "istio"}, token),
		Entry("on nothing with PILOT_DISABLE_MX_ALPN", spec.ID("tcpmetadata.handshake-alpn-off"),
			Label(catalogue.Smoke), "stock", "switched", tcpPort, []string{token, "istio"}, ""),
		Entry("on nothing with a client of a plane with PILOT_DISABLE_MX_ALPN", spec.ID("tcpmetadata.handshake-client-alpn-off"),
			"switched", "stock", tcpPort, []string{"istio"}, ""),
		Entry("on another protocol with PILOT_DISABLE_MX_ALPN", spec.ID("tcpmetadata.handshake-alpn-off-other-protocol"),
			"stock", "switched", tcpPort, []string{token, "h2"}, "h2"),
		Entry("on nothing where the port is for HTTP", spec.ID("tcpmetadata.handshake-http-port"),
			"switched", "stock", httpPort, []string{token, "istio"}, ""),
	)
})

// removePeer deletes the workload before its namespace is: without the EnvoyFilter, which may go first there,
// the sidecar would refuse what it is sent in its last second.
func removePeer(ctx SpecContext, namespace string) {
	err := kube.Shared().Clientset.AppsV1().Deployments(namespace).Delete(ctx, "peer", metav1.DeleteOptions{})
	Expect(ctrl.IgnoreNotFound(err)).To(Succeed())
	Eventually(ctx, func(ctx context.Context) ([]corev1.Pod, error) {
		pods, err := kube.Shared().Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return pods.Items, nil
	}, timing.Gone(), timing.Poll).Should(BeEmpty(), "pods of %s", namespace)
}

// istiosOwn names the filters that only Istio's Envoy has, and the clusters with such filters, in what a plane
// gives the sidecars of a namespace.
func istiosOwn(ctx context.Context, plane mesh.ControlPlane, namespace string) ([]string, error) {
	snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, plane.Revision, ghostSidecar(namespace))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, listener := range snapshot.Listeners {
		chains, err := envoy.Chains(listener)
		if err != nil {
			return nil, err
		}
		for _, chain := range chains {
			for _, name := range append(envoy.Names(chain.Network), envoy.Names(chain.HTTP)...) {
				if strings.HasPrefix(name, "istio.") {
					found = append(found, listener.GetName()+": "+name)
				}
			}
		}
	}
	for _, cluster := range snapshot.Clusters {
		for _, name := range envoy.Names(envoy.ClusterFilters(cluster)) {
			found = append(found, cluster.GetName()+": "+name)
		}
	}
	return found, nil
}

// shake makes TLS connections to a port of a workload's pod, past the caller's own sidecar, with the
// certificate of the caller's workload.
func shake(ctx context.Context, from, to *echo.Workload, port int, offered ...string) []agreement {
	GinkgoHelper()
	address := fmt.Sprintf("tls://%s:%d", to.Pod.Status.PodIP, port)
	command := []string{
		"/usr/local/bin/client", fmt.Sprintf("--count=%d", handshakes), fmt.Sprintf("--timeout=%s", timing.Request()),
		// The name in the certificate is a SPIFFE id, which the client cannot verify: the spec does.
		"--insecure-skip-verify", "--alpn=" + strings.Join(offered, ","),
		"--client-cert=" + certificates + "/cert-chain.pem", "--client-key=" + certificates + "/key.pem", address,
	}
	evidence.Replay("kubectl exec -n %s deploy/%s -c %s -- %s", from.Namespace, from.Name, echo.Container, strings.Join(command, " "))
	output, _, err := kube.Shared().Exec(ctx, from.Namespace, from.Pod.Name, echo.Container, command...)
	Expect(err).NotTo(HaveOccurred())
	agreements, err := parseAgreements(output)
	Expect(err).NotTo(HaveOccurred())
	evidence.Traffic(fmt.Sprintf("%s.%s to %s, offering %s", from.Name, from.Namespace, address, strings.Join(offered, ", ")), "%s", tally(agreements))
	return agreements
}

// served counts the TCP connections that the echo server of a workload has logged.
func served(ctx context.Context, workload *echo.Workload) int {
	GinkgoHelper()
	log, err := kube.Shared().LogsWith(ctx, workload.Namespace, workload.Pod.Name, corev1.PodLogOptions{Container: echo.Container})
	Expect(err).NotTo(HaveOccurred())
	return strings.Count(log, "\tTCP Request\t")
}
