package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

const native = "kubernetes/native.yaml"

// standing writes down a pod's containers in the order in which they start: what goes on beside the others has
// a plus.
func standing(pod *corev1.Pod) []string {
	var names []string
	for _, container := range pod.Spec.InitContainers {
		name := "init:" + container.Name
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			name += "+"
		}
		names = append(names, name)
	}
	for _, container := range pod.Spec.Containers {
		names = append(names, container.Name)
	}
	return names
}

// ended gives how a container of a pod, init containers included, ended; nil while it has not.
func ended(pod *corev1.Pod, container string) *corev1.ContainerStateTerminated {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			if status.Name == container {
				return status.State.Terminated
			}
		}
	}
	return nil
}

// end is ended for WithTransform.
func end(container string) func(*corev1.Pod) *corev1.ContainerStateTerminated {
	return func(pod *corev1.Pod) *corev1.ContainerStateTerminated { return ended(pod, container) }
}

// said reads what an echo client that ran as a container's only program wrote.
func said(ctx context.Context, ns, pod, container string) string {
	GinkgoHelper()
	log, err := kube.Shared().Logs(ctx, ns, pod, container, time.Time{})
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("kubectl logs -n %s %s -c %s", ns, pod, container)
	return log
}

// installInjector installs the plane whose injector makes native sidecars.
func installInjector(ctx context.Context) {
	GinkgoHelper()
	Expect(mesh.NewInstaller(session.Job(), kube.Shared(), GinkgoWriter).Install(ctx, mesh.Native())).To(Succeed())
}

// awaitInjector waits until the API server gets an answer from the injector, for a pod of the namespace: an istiod that is ready
// may not be in the node's rules yet.
func awaitInjector(ctx context.Context, ns string) {
	GinkgoHelper()
	kube.AwaitAccount(ctx, ns)
	Eventually(ctx, func(ctx context.Context) string {
		_, err := kube.Admit[corev1.Pod](ctx, ns, native)
		if err != nil && strings.Contains(err.Error(), "failed calling webhook") {
			return err.Error()
		}
		return ""
	}, timing.Push(), timing.Poll).Should(BeEmpty(), "the injector of plane native does not answer")
}

var _ = Describe("With ENABLE_NATIVE_SIDECARS a pod's sidecar", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityMedium), Label(catalogue.Kubernetes), func() {
	var (
		ns      string
		answers []string
	)

	// No label: whose sidecar a pod gets is its own say.
	evidence.BeforeAll(func(ctx SpecContext) {
		installInjector(ctx)
		ns = kube.NewNamespace(ctx, "kubernetes-native")
		awaitInjector(ctx, ns)
		kube.Apply(ctx, ns, "kubernetes/strict-server.yaml")
		server := echo.Await(ctx, ns, "server")["server"]
		// Only now: a server that is not there refuses, too, and so does a Service that kube-proxy does not know
		// yet. What the proxy's own user connects to passes by the proxy.
		service, err := kube.Getter[corev1.Service](ns, "server")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(ctx context.Context) error {
			_, _, err := kube.Shared().Exec(ctx, ns, server.Pod.Name, sidecar.Container, "bash", "-c", "exec 3<>/dev/tcp/"+service.Spec.ClusterIP+"/80")
			return err
		}, timing.Push(), timing.Poll).Should(Succeed(), "kube-proxy does not lead to the server")
		sidecar.AwaitInbound(ctx, server, match.TakeOnlyTLS(echo.Port))
		kube.Apply(ctx, ns, "kubernetes/ordinary.yaml")
		answers = []string{"StatusCode=200", fmt.Sprintf("URI=spiffe://cluster.local/ns/%s/sa/default", ns)}
	})

	It("is an init container that goes on, the first but for istio-init", spec.ID("kubernetes.native-sidecar-init-container"), func(ctx SpecContext) {
		pod := kube.Admitted[corev1.Pod](ctx, ns, native)
		evidence.API("containers of pod native", "%s", strings.Join(standing(pod), ", "))
		Expect(standing(pod)).To(HaveExactElements("init:istio-init", "init:"+sidecar.Container+"+", "init:early", "work"), "containers of pod native")

		By("looking at a pod of the plane without it")
		ordinary, err := kube.Getter[corev1.Pod](ns, "early-ordinary")(ctx)
		Expect(err).NotTo(HaveOccurred())
		evidence.API("containers of pod early-ordinary", "%s", strings.Join(standing(ordinary), ", "))
		Expect(standing(ordinary)).To(HaveExactElements("init:early", "init:istio-init", "work", sidecar.Container), "containers of pod early-ordinary")
	})

	It("carries what init containers send, and ends with the pod's work", spec.ID("kubernetes.native-sidecar-carries-and-ends"), func(ctx SpecContext) {
		kube.Apply(ctx, ns, native)
		By("waiting until the pod has ended")
		var pod *corev1.Pod
		Eventually(ctx, kube.Getter[corev1.Pod](ns, "native"), timing.Rollout(), timing.Poll).Should(SatisfyAll(
			WithTransform(func(found *corev1.Pod) bool { pod = found; return true }, BeTrue()),
			HaveField("Status.Phase", BeElementOf(corev1.PodSucceeded, corev1.PodFailed)),
		), "pod native does not end")
		evidence.Look(ns, "pod", "native")
		early := said(ctx, ns, "native", "early")
		for _, answer := range answers {
			Expect(early).To(ContainSubstring(answer), "what the init container was answered, through mutual TLS")
		}
		Expect(pod.Status.Phase).To(Equal(corev1.PodSucceeded), "phase of pod native")
		work := said(ctx, ns, "native", "work")
		for _, answer := range answers {
			Expect(work).To(ContainSubstring(answer), "what the pod's work was answered, through mutual TLS")
		}
		Expect(ended(pod, sidecar.Container)).NotTo(BeNil(), "the sidecar of a pod that has ended still runs")
		evidence.Traffic("init container early and container work", "each answered 200 as %s", answers[1])
		evidence.API("pod native", "%s, its sidecar ended with exit code %d", pod.Status.Phase, ended(pod, sidecar.Container).ExitCode)
	})

	It("does otherwise without it: init containers go without, and the sidecar outlives the work", spec.ID("kubernetes.native-sidecar-control"), func(ctx SpecContext) {
		Eventually(ctx, kube.Getter[corev1.Pod](ns, "early-ordinary"), timing.Rollout(), timing.Poll).Should(
			WithTransform(end("early"), HaveField("ExitCode", Not(BeZero()))), "init container early of pod early-ordinary does not fail")
		refused := said(ctx, ns, "early-ordinary", "early")
		Expect(refused).NotTo(ContainSubstring("StatusCode=200"), "what the init container was answered without a sidecar")
		Expect(refused).To(MatchRegexp("connection reset by peer|EOF"), "how the server's sidecar refused plaintext")

		Eventually(ctx, kube.Getter[corev1.Pod](ns, "ordinary"), timing.Rollout(), timing.Poll).Should(SatisfyAll(
			WithTransform(end("work"), HaveField("ExitCode", BeZero())),
			HaveField("Status.ContainerStatuses", ContainElement(SatisfyAll(HaveField("Name", sidecar.Container), HaveField("Ready", BeTrue())))),
		), "container work of pod ordinary does not end beside its sidecar")
		Consistently(ctx, kube.Getter[corev1.Pod](ns, "ordinary"), timing.Quiet, timing.Poll).Should(SatisfyAll(
			HaveField("Status.Phase", corev1.PodRunning),
			WithTransform(end(sidecar.Container), BeNil()),
		), "pod ordinary ends with its work")
		evidence.Look(ns, "pod", "ordinary", "early-ordinary")
		evidence.API("pod early-ordinary", "its init container's request to a STRICT server was cut off")
		evidence.API("pod ordinary", "its work has ended, its sidecar runs on")
	})
})

var _ = Describe("With ENABLE_NATIVE_SIDECARS a pod", Label(catalogue.Kubernetes), func() {
	It("is refused where Kubernetes has no native sidecars", spec.ID("kubernetes.native-sidecar-refused"), func(ctx SpecContext) {
		installInjector(ctx)
		ns := kube.NewNamespace(ctx, "kubernetes-no-native")
		awaitInjector(ctx, ns)
		_, err := kube.Admit[corev1.Pod](ctx, ns, native)
		evidence.API("pod native", "refused: %v", err)
		// An init container that ends has nothing to probe.
		Expect(err).To(MatchError(MatchRegexp(`spec\.initContainers\[1\]\.(startup|readiness)Probe`)), "pod with a native sidecar")
	})
})
