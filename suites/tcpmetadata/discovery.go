package tcpmetadata

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds"
)

// PILOT_ENABLE_AMBIENT_CONTROLLERS is true on the plane switched and false on stock; both look at the same
// namespaces.
var _ = Describe("Workload discovery", Ordered, ContinueOnFailure, Label(catalogue.TCPMetadata), func() {
	var namespace string
	var client *echo.Workload
	watches := map[string]*xds.WorkloadWatch{}

	evidence.BeforeAll(func(ctx SpecContext) {
		namespace = kube.NewNamespace(ctx, "tcpmetadata-discovery", mesh.OfStock)
		for _, plane := range []mesh.ControlPlane{mesh.Switched(), mesh.Stock()} {
			Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
			watch, err := xds.WatchWorkloads(ctx, kube.Shared(), mesh.Namespace, plane.Revision, ghostSidecar(namespace))
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(watch.Stop)
			watches[plane.Name] = watch
			evidence.Replay("kubectl port-forward -n %s deploy/%s 15010 & grpcurl -plaintext -d '%s' localhost:15010 %s",
				mesh.Namespace, plane.Deployment(),
				fmt.Sprintf(`{"node":{"id":%q},"typeUrl":%q}`, ghostSidecar(namespace).ID(), xds.TypeWorkload),
				"envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources")
		}
		client = echo.Deploy(ctx, namespace, "client")["client"]
	})

	// pods are the namespace's that a plane tells who watches of.
	pods := func(plane string) func() ([]string, error) {
		return func() ([]string, error) {
			workloads, err := watches[plane].In(namespace)
			return podNames(workloads), err
		}
	}
	awaitClient := func(ctx SpecContext) {
		GinkgoHelper()
		Eventually(ctx, pods("switched"), timing.Push(), timing.Poll).Should(ContainElement(client.Pod.Name), "pods on the plane switched")
	}

	It("tells who watches of a pod by its address, with the names that telemetry has for it", spec.ID("tcpmetadata.discovery-names"), func(ctx SpecContext) {
		awaitClient(ctx)
		workloads, err := watches["switched"].In(namespace)
		Expect(err).NotTo(HaveOccurred())
		address, err := netip.ParseAddr(client.Pod.Status.PodIP)
		Expect(err).NotTo(HaveOccurred())
		Expect(workloads).To(HaveExactElements(xds.Workload{
			UID:               "Kubernetes//Pod/" + namespace + "/" + client.Pod.Name,
			Name:              client.Pod.Name,
			Namespace:         namespace,
			Addresses:         []netip.Addr{address},
			ServiceAccount:    client.Name,
			Node:              client.Pod.Spec.NodeName,
			ClusterID:         "Kubernetes",
			CanonicalName:     client.Name,
			CanonicalRevision: "latest",
			WorkloadName:      client.Name,
		}), "workloads of %s on the plane switched", namespace)
		evidence.Config("workload, plane switched", "%+v", workloads[0])
	})

	// The release's bootstrap has api_type GRPC, which is the state of the world, unless ISTIO_DELTA_XDS is set:
	// the notes ask for no such thing.
	It("tells a sidecar of a pod without ISTIO_DELTA_XDS", spec.ID("tcpmetadata.discovery-state-of-the-world"), func(ctx SpecContext) {
		By("waiting until istiod knows the pod")
		awaitClient(ctx)

		By("asking as a sidecar does")
		workloads, err := xds.WorkloadsOf(ctx, kube.Shared(), mesh.Namespace, mesh.Switched().Revision, ghostSidecar(namespace))
		Expect(err).NotTo(HaveOccurred())
		evidence.Config("workloads for who asks for the state of the world, plane switched", "%d", len(workloads))
		Expect(podNames(workloads)).To(ContainElement(client.Pod.Name), "pods on the plane switched for who asks for the state of the world")
	})

	It("tells of nothing without PILOT_ENABLE_AMBIENT_CONTROLLERS", spec.ID("tcpmetadata.discovery-off"), func(ctx SpecContext) {
		By("waiting until the plane that has it knows the pod, and the one that has not knows the Service")
		awaitClient(ctx)
		Eventually(ctx, func(ctx context.Context) error {
			snapshot, err := xds.SnapshotOf(ctx, kube.Shared(), mesh.Namespace, mesh.Stock().Revision, ghostSidecar(namespace))
			if err != nil {
				return err
			}
			_, err = snapshot.Cluster("outbound|9090||client." + namespace + ".svc.cluster.local")
			return err
		}, timing.Push(), timing.Poll).Should(Succeed(), "the plane stock does not look at %s", namespace)

		By("asking for workloads")
		Eventually(ctx, pods("stock"), timing.Push(), timing.Poll).Should(BeEmpty(), "pods on the plane stock")
		Consistently(ctx, pods("stock"), timing.Quiet, timing.Poll).Should(BeEmpty(), "pods on the plane stock")
		Expect(watches["stock"].All()).To(BeEmpty(), "workloads of any namespace on the plane stock")
		evidence.Config("workloads, plane stock", "answered: none")
	})

	It("tells who watches of a pod that comes and of one that goes", spec.ID("tcpmetadata.discovery-follows"), func(ctx SpecContext) {
		neighbour := echo.Deploy(ctx, namespace, "neighbour")["neighbour"]
		Eventually(ctx, pods("switched"), timing.Push(), timing.Poll).Should(ConsistOf(client.Pod.Name, neighbour.Pod.Name),
			"pods on the plane switched after one came")

		kube.Remove[appsv1.Deployment](ctx, namespace, neighbour.Name)
		Eventually(ctx, pods("switched"), timing.Push(), timing.Poll).Should(ConsistOf(client.Pod.Name),
			"pods on the plane switched after one went")
		evidence.Config("workloads, plane switched", "%s came and went, %s stayed", neighbour.Pod.Name, client.Pod.Name)
	})
})

func podNames(workloads []xds.Workload) []string {
	var names []string
	for _, workload := range workloads {
		names = append(names, workload.Name)
	}
	return names
}
