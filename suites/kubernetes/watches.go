package kubernetes

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
)

// The ports of istiod that answer for itself.
const (
	httpPort       = 8080
	monitoringPort = 15014
)

var _ = Describe("istiod", Label(catalogue.Kubernetes), func() {
	It("has everything that it watches, and no watch of its has failed", spec.ID("kubernetes.watches-work"), func(ctx SpecContext) {
		client, plane := kube.Shared(), mesh.Dataplane()
		pods, err := client.Clientset.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=istiod,istio.io/rev=default"})
		Expect(err).NotTo(HaveOccurred())
		Expect(pods.Items).To(HaveLen(1), "pods of the plane %s", plane.Name)
		pod := pods.Items[0]
		evidence.Replay("kubectl get --raw /api/v1/namespaces/%s/pods/%s:%d/proxy/ready", mesh.Namespace, pod.Name, httpPort)
		evidence.Replay("kubectl logs -n %s deploy/%s | grep -iE 'synced|failed to (watch|list)|watch error'", mesh.Namespace, plane.Deployment())
		evidence.Replay("kubectl get --raw /api/v1/namespaces/%s/pods/%s:%d/proxy/metrics | grep controller_sync_errors_total", mesh.Namespace, pod.Name, monitoringPort)

		By("asking whether it is ready: it is once every informer has synced")
		_, err = client.PodGet(ctx, mesh.Namespace, pod.Name, httpPort, "/ready")
		Expect(err).NotTo(HaveOccurred(), "istiod's own readiness")
		Expect(pod.Status.ContainerStatuses).To(HaveExactElements(HaveField("RestartCount", BeZero())), "restarts of %s", pod.Name)

		By("reading its log from the beginning")
		log, err := client.Logs(ctx, mesh.Namespace, pod.Name, "discovery", time.Time{})
		Expect(err).NotTo(HaveOccurred())
		Expect(log).To(ContainSubstring("kube controller for Kubernetes synced"), "istiod's log does not reach back to its start")
		Expect(failedWatches(log)).To(BeEmpty(), "watches that failed, by istiod's log")

		By("reading its counter of them, which does not exist before the first")
		metrics, err := client.PodGet(ctx, mesh.Namespace, pod.Name, monitoringPort, "/metrics")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(metrics)).To(ContainSubstring("pilot_xds_pushes"), "istiod's metrics")
		Expect(countedErrors(string(metrics))).To(BeEmpty(), "watches that failed, by istiod's metrics")
		evidence.Config("istiod "+pod.Name, "ready, %d lines of log, none of a failed watch", strings.Count(log, "\n"))
	})
})
