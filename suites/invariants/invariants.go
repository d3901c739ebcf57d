// Package invariants holds what must be true of the shared cluster after everything else has run; package sound finds it.
package invariants

import (
	"math"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/hack/machine"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/failure"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/sound"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/staticpod"
	"mesh-conformance/suites/internal/timing"
)

// systemNamespace holds the control plane of Kubernetes itself.
const systemNamespace = "kube-system"

// last has the invariants run after every other serial spec, which in turn run on one process
// after all parallel ones.
const last = SpecPriority(math.MinInt32)

var _ = Describe("At the end of the run", Serial, last, Label(catalogue.Invariants, catalogue.Smoke), func() {
	// suspects are the namespaces whose diagnostics tell about the spec's findings: the specs make none
	// of their own.
	var suspects []string

	BeforeEach(func(ctx SpecContext) {
		suspects = []string{mesh.Namespace}
		// Where nothing else has run, they may still be coming up.
		for _, plane := range mesh.Beside() {
			Expect(mesh.Await(ctx, kube.Shared(), plane)).To(Succeed())
		}
	})

	JustAfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			slices.Sort(suspects)
			failure.Dump(ctx, suspects)
		}
	})

	It("no istiod has restarted or panicked", spec.ID("invariants.istiod-no-restart"), func(ctx SpecContext) { sound.ExpectExplained(sound.Crashed(ctx)) })

	It("no proxy has refused what an istiod sent it", spec.ID("invariants.no-rejected-push"), func(ctx SpecContext) { sound.ExpectExplained(sound.Refused(ctx)) })

	It("no proxy counts or holds a rejected update", spec.ID("invariants.no-rejected-update"), func(ctx SpecContext) {
		findings, where := sound.Rejected(ctx)
		suspects = append(suspects, where...)
		sound.ExpectExplained(findings)
	})

	It("no pod of any namespace has restarted without an explanation", spec.ID("invariants.no-unexplained-restart"), func(ctx SpecContext) {
		pods := sound.PodsOf(ctx, metav1.NamespaceAll, "")
		evidence.API("pods", "%d in all namespaces", len(pods))
		restarted, err := staticpod.Restarts(ctx, kube.Shared())
		Expect(err).NotTo(HaveOccurred())
		evidence.API("Kubernetes control plane", "%d restarts, which are no fault of Istio's: %v", len(restarted), restarted)
		pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return staticpod.Is(&pod) })
		Expect(pods).NotTo(BeEmpty(), "pods whose restarts are looked for")
		samples, err := machine.Load(session.Job().Path(kindconfig.MachineFile))
		Expect(err).NotTo(HaveOccurred())
		pods, leftOut := sound.WithoutKilledWhileSlow(pods, samples)
		evidence.API("containers that the kubelet ended while the machine was slow", "%d: %v", len(leftOut), leftOut)
		evidence.Replay("kubectl get pods --all-namespaces")
		for _, pod := range pods {
			if len(sound.Restarts([]corev1.Pod{pod})) > 0 {
				suspects = append(suspects, pod.Namespace)
			}
		}
		sound.ExpectExplained(sound.Restarts(pods))
	})

	It("the pods of kube-system are ready, and none was OOMKilled", spec.ID("invariants.system-pods-ready"), func(ctx SpecContext) {
		suspects = []string{systemNamespace}
		pods := sound.PodsOf(ctx, systemNamespace, "")
		evidence.API("pods of "+systemNamespace, "%d", len(pods))
		evidence.Replay("kubectl get pods --namespace %s", systemNamespace)
		sound.ExpectExplained(sound.OutOfMemory(pods))
		Eventually(ctx, diagnose.PodsNotReady, timing.Push(), timing.Poll).
			WithArguments(kube.Shared(), systemNamespace).Should(BeEmpty())
	})
})
