// Package sound finds what must not be in any cluster: a crash, a rejected configuration, an unexplained restart. A cluster
// that is used again carries the past of its earlier runs: counters and restarts are those of its whole life.
package sound

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/proxy"
)

// metricsPort is the monitoring port of an istiod that its annotation gives: not all planes have the same.
func metricsPort(pod *corev1.Pod) int {
	port, err := strconv.Atoi(pod.Annotations["prometheus.io/port"])
	Expect(err).NotTo(HaveOccurred(), "the monitoring port of %s", pod.Name)
	return port
}

// OfOwnCluster asserts of the cluster that a container has made for itself, before it goes, what the invariants say of the
// shared one: no istiod has restarted or panicked, and no proxy has refused or rejected what it was sent.
func OfOwnCluster(ctx context.Context) {
	GinkgoHelper()
	findings, _ := Rejected(ctx)
	ExpectExplained(slices.Concat(Crashed(ctx), Refused(ctx), findings))
}

// Crashed finds istiods that have restarted or panicked.
func Crashed(ctx context.Context) []string {
	GinkgoHelper()
	pods := istiods(ctx)
	findings := append(Restarts(pods), replaced(pods, replicaSetsOf(ctx, mesh.Namespace))...)
	lines := 0
	for _, pod := range pods {
		for _, log := range logsOf(ctx, &pod) {
			lines += strings.Count(log, "\n")
			for _, crash := range crashes(log) {
				findings = append(findings, fmt.Sprintf("%s logged: %s", pod.Name, crash))
			}
		}
	}
	evidence.API("istiods", "%d, with %d lines of log read", len(pods), lines)
	evidence.Replay("kubectl get pods --namespace %s --selector app=istiod", mesh.Namespace)
	Expect(lines).To(BeNumerically(">", 0), "the istiods must have logged something to be searched")
	return findings
}

// Refused finds what istiods count and log of proxies that refused what they were sent.
func Refused(ctx context.Context) []string {
	GinkgoHelper()
	var findings []string
	connected := 0
	for _, pod := range istiods(ctx) {
		page, err := kube.Shared().PodGet(ctx, pod.Namespace, pod.Name, metricsPort(&pod), "/metrics")
		Expect(err).NotTo(HaveOccurred())
		read, err := parseMetrics(page)
		Expect(err).NotTo(HaveOccurred(), "metrics of %s", pod.Name)
		revision := "revision " + pod.Labels[revisionLabel]
		evidence.Config("istiod of "+revision, "%d proxies connected, refused responses by type: %v", read.connected, read.rejects)
		evidence.Replay("kubectl get --raw /api/v1/namespaces/%s/pods/%s:%d/proxy/metrics | grep reject", pod.Namespace, pod.Name, metricsPort(&pod))
		connected += read.connected
		findings = append(findings, rejections(revision, read, strings.Join(logsOf(ctx, &pod), "\n"))...)
	}
	Expect(connected).To(BeNumerically(">", 0), "proxies must be connected for their refusals to be counted")
	return findings
}

// Rejected finds what proxies themselves count and hold of rejected updates, and the namespaces where they are.
func Rejected(ctx context.Context) (findings, where []string) {
	GinkgoHelper()
	proxies, err := proxy.In(ctx, kube.Shared(), metav1.NamespaceAll)
	Expect(err).NotTo(HaveOccurred())
	Expect(proxies).NotTo(BeEmpty(), "the suite keeps gateways until the end to be asked")
	asked, counters := 0, 0
	for _, p := range proxies {
		rejected, err := p.Rejected(ctx)
		if err != nil && gone(ctx, p) {
			continue
		}
		Expect(err).NotTo(HaveOccurred())
		asked++
		counters += len(rejected.Counters)
		if len(rejected.Lines()) > 0 {
			where = append(where, p.Namespace)
		}
		for _, line := range rejected.Lines() {
			findings = append(findings, fmt.Sprintf("%s: %s", p, line))
		}
		evidence.Replay("kubectl exec --namespace %s %s --container istio-proxy -- pilot-agent request GET 'stats?filter=update_rejected'", p.Namespace, p.Pod)
	}
	evidence.Config("proxies asked", "%d, with %d counters of rejected updates", asked, counters)
	Expect(asked).To(BeNumerically(">", 0), "every proxy went before it could be asked")
	Expect(counters).To(BeNumerically(">=", asked), "each proxy keeps at least one counter of rejected updates")
	return findings, where
}

// revisionLabel names an istiod's revision.
const revisionLabel = "istio.io/rev"

// ExpectExplained fails with the findings nothing excuses, and records the others.
func ExpectExplained(findings []string) {
	GinkgoHelper()
	expected, err := parseExpected(expectedYAML)
	Expect(err).NotTo(HaveOccurred())
	unexplained, excused := judge(findings, expected)
	for _, line := range excused {
		evidence.API("excused", "%s", line)
	}
	if len(unexplained) > 0 {
		Fail(told(unexplained), 1)
	}
}

// told is the failure for findings: the first line has the first of them, and how many there are.
func told(findings []string) string {
	head := findings[0]
	if more := len(findings) - 1; more > 0 {
		head += fmt.Sprintf(" (and %d more)", more)
	}
	return strings.Join(append([]string{head}, findings[1:]...), "\n")
}

func replicaSetsOf(ctx context.Context, namespace string) []appsv1.ReplicaSet {
	GinkgoHelper()
	list, err := kube.Shared().Clientset.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	return list.Items
}

func PodsOf(ctx context.Context, namespace, selector string) []corev1.Pod {
	GinkgoHelper()
	list, err := kube.Shared().Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	Expect(err).NotTo(HaveOccurred())
	Expect(list.Items).NotTo(BeEmpty(), "pods must be there to be judged")
	return list.Items
}

func istiods(ctx context.Context) []corev1.Pod {
	GinkgoHelper()
	return PodsOf(ctx, mesh.Namespace, "app=istiod")
}

// logsOf gives the logs of a pod's containers, those from before a restart first.
func logsOf(ctx context.Context, pod *corev1.Pod) []string {
	GinkgoHelper()
	var logs []string
	for _, status := range containers(pod) {
		for _, previous := range []bool{true, false} {
			if previous && status.RestartCount == 0 {
				continue
			}
			log, err := kube.Shared().LogsWith(ctx, pod.Namespace, pod.Name,
				corev1.PodLogOptions{Container: status.Name, Previous: previous})
			Expect(err).NotTo(HaveOccurred())
			logs = append(logs, log)
		}
	}
	return logs
}

// gone says whether a proxy that did not answer is on its way out, or out.
func gone(ctx context.Context, p proxy.Proxy) bool {
	GinkgoHelper()
	pod, err := kube.Shared().Clientset.CoreV1().Pods(p.Namespace).Get(ctx, p.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	Expect(err).NotTo(HaveOccurred())
	return pod.DeletionTimestamp != nil
}
