package startupprobe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// pairs is how often two sidecars are started side by side.
const pairs = 5

// took is how long the two sidecars of a pair had until they were ready.
type took struct{ Startup, Before time.Duration }

// median of an odd number of times.
func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

// account writes down the pairs and their medians.
func account(all []took) string {
	var lines []string
	var startup, before, gained []time.Duration
	for _, pair := range all {
		startup, before = append(startup, pair.Startup), append(before, pair.Before)
		gained = append(gained, pair.Before-pair.Startup)
		lines = append(lines, fmt.Sprintf("%.1f/%.1f", pair.Startup.Seconds(), pair.Before.Seconds()))
	}
	return fmt.Sprintf("median %.1f s with the startup probe, %.1f s with the probes before, of the differences %.1f s (pairs in s: %s)",
		median(startup).Seconds(), median(before).Seconds(), median(gained).Seconds(), strings.Join(lines, ", "))
}

// firstWord reads when a container wrote its first line from a log with timestamps.
func firstWord(log string) (time.Time, error) {
	stamp, _, found := strings.Cut(log, " ")
	if !found {
		return time.Time{}, fmt.Errorf("a log without a timestamp: %q", log)
	}
	return time.Parse(time.RFC3339Nano, stamp)
}

// begun is when a pod's proxy wrote its first line: the kubelet's own times are whole seconds.
func begun(ctx context.Context, ns, pod string) (time.Time, error) {
	enough := int64(len(time.RFC3339Nano) + 1)
	log, err := kube.Shared().LogsWith(ctx, ns, pod, corev1.PodLogOptions{Container: sidecar.Container, Timestamps: true, LimitBytes: &enough})
	if err != nil {
		return time.Time{}, err
	}
	return firstWord(log)
}

// readyPods gives the pods of a namespace that are ready and not about to go.
func readyPods(ns string) func(context.Context) ([]corev1.Pod, error) {
	return func(ctx context.Context) ([]corev1.Pod, error) {
		list, err := kube.Shared().Clientset.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list the pods of %s: %w", ns, err)
		}
		return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
			return pod.DeletionTimestamp != nil || !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		}), nil
	}
}

var _ = Describe("A sidecar", SpecPriority(timing.PriorityMedium), Label(catalogue.StartupProbe), func() {
	// Longer than other specs: pair after pair, since all at once would measure how they wait for each other.
	// The times are evidence. What they are depends on the machine's other work, so that no bound could be
	// wide enough to hold always and narrow enough to mean something. Its name promises no more than that.
	It("is timed until it is ready, side by side with one that has the probes of the release before", spec.ID("startupprobe.time-to-ready"), func(ctx SpecContext) {
		// Both are injected by hand, so that they differ in their probes alone.
		ns := kube.NewNamespace(ctx, "startup-pairs")
		runners := []runner{
			{"startup", injectedBy(ctx, istioctl.Subject(), plain)},
			{"before", injectedBy(ctx, istioctl.Subject(), plain, valuesBefore...)},
		}
		for i, want := range [][]string{{startup, readiness}, {readinessBefore}} {
			Expect(probesOf(runners[i].pod.Spec)).To(have(want...), "probes of the pods %s", runners[i].kind)
		}
		evidence.Replay("kubectl apply -n %s -f <what kube-inject made> && kubectl get pods -n %s --watch --output-watch-events", ns, ns)
		var all []took
		for round := range pairs {
			By(fmt.Sprintf("starting pair %d", round+1))
			all = append(all, race(ctx, ns, round, runners))
		}
		evidence.API("from a proxy's first word to a ready pod", "%s", account(all))
		Expect(all).To(HaveLen(pairs), "pairs that were measured")
		Expect(all).To(HaveEach(SatisfyAll(HaveField("Startup", BeNumerically(">", 0)), HaveField("Before", BeNumerically(">", 0)))),
			"times until the sidecars were ready")
	})
})

// runner is one of a pair: what it is called, and the pod that it is a copy of.
type runner struct {
	kind string
	pod  *corev1.Pod
}

// race starts one sidecar with the startup probe and one with the probes before it, and takes their times.
func race(ctx SpecContext, ns string, round int, runners []runner) took {
	GinkgoHelper()
	// Whoever is created first is a little ahead: they take turns.
	order := slices.Clone(runners)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, runner := range order {
		pod := runner.pod.DeepCopy()
		pod.Namespace, pod.Name = ns, fmt.Sprintf("%s-%d", runner.kind, round+1)
		Expect(kube.Shared().Client.Create(ctx, pod)).To(Succeed())
		// At once, and without waiting: the next pair is not to wait for this one to end.
		defer func() {
			Expect(ctrl.IgnoreNotFound(kube.Shared().Client.Delete(ctx, pod, ctrl.GracePeriodSeconds(0)))).To(Succeed())
		}()
	}
	ready := map[string]time.Duration{}
	Eventually(ctx, func(ctx context.Context) (map[string]time.Duration, error) {
		pods, err := readyPods(ns)(ctx)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		for _, pod := range pods {
			kind, _, _ := strings.Cut(pod.Name, "-")
			if _, known := ready[kind]; known {
				continue
			}
			start, err := begun(ctx, ns, pod.Name)
			if err != nil {
				return nil, err
			}
			ready[kind] = now.Sub(start)
		}
		return ready, nil
	}, timing.Rollout(), timing.Poll).Should(HaveLen(len(runners)), "sidecars of pair %d that are ready", round+1)
	return took{Startup: ready["startup"], Before: ready["before"]}
}
