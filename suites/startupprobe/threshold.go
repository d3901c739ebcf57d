package startupprobe

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// The pods of the fixtures startupprobe/unreachable*.yaml, and the threshold that the first of them has.
const (
	tenTimes  = "ten-times"
	byDefault = "default"
	asBefore  = "as-before"
	threshold = 10
)

// happened are the kubelet's words about a pod.
type happened []corev1.Event

// failures counts the failures of one kind of probe, startup or readiness.
func (h happened) failures(kind string) int {
	count := 0
	for _, event := range h {
		if event.Reason == "Unhealthy" && strings.HasPrefix(strings.ToLower(event.Message), kind+" probe failed") {
			count += int(max(event.Count, 1))
		}
	}
	return count
}

// restarts counts how often the kubelet ended the proxy for its startup probe.
func (h happened) restarts() int {
	count := 0
	for _, event := range h {
		if event.Reason == "Killing" && strings.Contains(event.Message, "Container "+sidecar.Container+" failed startup probe") {
			count += int(max(event.Count, 1))
		}
	}
	return count
}

// eventsOf asks for the events of a pod.
func eventsOf(ns, pod string) func(context.Context) (happened, error) {
	return func(ctx context.Context) (happened, error) {
		list, err := kube.Shared().Clientset.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod})
		if err != nil {
			return nil, fmt.Errorf("events of pod %s: %w", pod, err)
		}
		return list.Items, nil
	}
}

// statusOf asks for the status of a container.
func statusOf(ns, pod, container string) func(context.Context) (corev1.ContainerStatus, error) {
	return func(ctx context.Context) (corev1.ContainerStatus, error) {
		found, err := kube.Getter[corev1.Pod](ns, pod)(ctx)
		if err != nil {
			return corev1.ContainerStatus{}, err
		}
		for _, status := range found.Status.ContainerStatuses {
			if status.Name == container {
				return status, nil
			}
		}
		return corev1.ContainerStatus{}, fmt.Errorf("pod %s has no status of container %s yet", pod, container)
	}
}

// age is how long a container runs since it was last started; zero before.
func age(status corev1.ContainerStatus) time.Duration {
	if status.State.Running == nil {
		return 0
	}
	return time.Since(status.State.Running.StartedAt.Time)
}

var _ = Describe("A sidecar that cannot reach istiod", Ordered, ContinueOnFailure, Label(catalogue.StartupProbe), func() {
	var (
		ns string
		// lived is how long the proxy with the small threshold did, until it was restarted.
		lived time.Duration
	)

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "startup-unreachable", kube.Injected)
		kube.AwaitAccount(ctx, ns)
		kube.Apply(ctx, ns, "startupprobe/unreachable.yaml")
		pod := injectedBy(ctx, istioctl.Subject(), "startupprobe/unreachable-by-hand.yaml", valuesBefore...)
		pod.Namespace = ns
		// It has its sidecar already; before it had, the label would have kept it from getting one.
		metav1.SetMetaDataLabel(&pod.ObjectMeta, "sidecar.istio.io/inject", "false")
		Expect(kube.Shared().Client.Create(ctx, pod)).To(Succeed())
	})

	It("is restarted once its startup probe has failed as often as its threshold says, and not before", spec.ID("startupprobe.restart-at-threshold"), func(ctx SpecContext) {
		pod, err := kube.Getter[corev1.Pod](ns, tenTimes)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(probesOf(pod.Spec)).To(have(strings.Replace(startup, "600", fmt.Sprint(threshold), 1), readiness),
			"probes of pod %s", tenTimes)

		By("waiting until the kubelet says that the proxy failed its startup probe")
		var seen happened
		Eventually(ctx, eventsOf(ns, tenTimes), timing.Rollout(), timing.Poll).Should(SatisfyAll(
			WithTransform(func(h happened) bool { seen = h; return true }, BeTrue()),
			WithTransform(happened.restarts, BeNumerically(">=", 1)),
		), "pod %s: the proxy is not restarted for its startup probe", tenTimes)
		// Not later, either. Failures of the next start are among them, as many as there was time for until the events were read.
		Expect(seen.failures("startup")).To(And(BeNumerically(">=", threshold), BeNumerically("<=", (seen.restarts()+1)*threshold)),
			"pod %s: startup probes that had failed when the proxy had been restarted %d times", tenTimes, seen.restarts())

		By("waiting until it runs again")
		var again corev1.ContainerStatus
		Eventually(ctx, statusOf(ns, tenTimes, sidecar.Container), timing.Rollout(), timing.Poll).Should(SatisfyAll(
			WithTransform(func(s corev1.ContainerStatus) bool { again = s; return true }, BeTrue()),
			HaveField("RestartCount", BeNumerically(">=", 1)),
			HaveField("LastTerminationState.Terminated", Not(BeNil())),
		), "pod %s: the proxy is not started again", tenTimes)
		ended := again.LastTerminationState.Terminated
		lived = ended.FinishedAt.Sub(ended.StartedAt.Time)
		evidence.Look(ns, "pod", tenTimes)
		evidence.Replay("kubectl get events -n %s --field-selector involvedObject.name=%s", ns, tenTimes)
		evidence.API("pod "+tenTimes, "%d startup probes failed, then the proxy was restarted after %s (started %s, finished %s)", seen.failures("startup"), lived,
			ended.StartedAt.UTC().Format(time.TimeOnly), ended.FinishedAt.UTC().Format(time.TimeOnly))
		// The first probe may come at once, the others a second apart each.
		Expect(lived).To(BeNumerically(">=", (threshold-1)*time.Second), "pod %s: how long the proxy lived", tenTimes)

		application, err := statusOf(ns, tenTimes, "echo")(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(application.RestartCount).To(BeZero(), "pod %s: restarts of the application beside the proxy", tenTimes)
	})

	// outlive waits until a pod's proxy has run longer than the other one could, and tells what happened to it.
	outlive := func(ctx SpecContext, pod string) happened {
		GinkgoHelper()
		Expect(lived).NotTo(BeZero(), "no proxy was restarted: there is nothing to outlive")
		var status corev1.ContainerStatus
		long := lived + timing.Quiet
		Eventually(ctx, func(ctx context.Context) error {
			var err error
			if status, err = statusOf(ns, pod, sidecar.Container)(ctx); err != nil {
				return err
			}
			if status.RestartCount > 0 {
				return StopTrying(fmt.Sprintf("it was restarted %d times", status.RestartCount))
			}
			if lives := age(status); lives <= long {
				return fmt.Errorf("it runs for %s, which is not yet %s", lives.Round(time.Second), long)
			}
			return nil
		}, long+timing.Rollout(), timing.Poll).Should(Succeed(),
			"pod %s: the proxy does not outlive pod %s's, which was restarted after %s", pod, tenTimes, lived)
		Expect(status.Ready).To(BeFalse(), "pod %s: the proxy is ready without istiod", pod)
		events, err := eventsOf(ns, pod)(ctx)
		Expect(err).NotTo(HaveOccurred())
		evidence.Look(ns, "pod", pod)
		evidence.API("pod "+pod, "runs for %s, not ready, 0 restarts; failed probes: %d startup, %d readiness",
			age(status).Round(time.Second), events.failures("startup"), events.failures("readiness"))
		return events
	}

	It("is not restarted in that time with the default threshold", spec.ID("startupprobe.default-threshold-no-restart"), func(ctx SpecContext) {
		pod, err := kube.Getter[corev1.Pod](ns, byDefault)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(probesOf(pod.Spec)).To(have(startup, readiness), "probes of pod %s", byDefault)
		events := outlive(ctx, byDefault)
		Expect(events.failures("startup")).NotTo(BeZero(), "pod %s: failed startup probes", byDefault)
		Expect(events.restarts()).To(BeZero(), "pod %s: restarts for the startup probe", byDefault)
	})

	It("is not restarted in that time with the probes of the release before", spec.ID("startupprobe.probes-before-no-restart"), func(ctx SpecContext) {
		pod, err := kube.Getter[corev1.Pod](ns, asBefore)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(probesOf(pod.Spec)).To(have(readinessBefore), "probes of pod %s", asBefore)
		events := outlive(ctx, asBefore)
		Expect(events.failures("readiness")).NotTo(BeZero(), "pod %s: failed readiness probes", asBefore)
		Expect(events.failures("startup")).To(BeZero(), "pod %s: failed startup probes", asBefore)
	})
})
