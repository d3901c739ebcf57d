package startupprobe

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
)

var _ = Describe("The injector", Ordered, ContinueOnFailure, Label(catalogue.StartupProbe), func() {
	var ns string

	evidence.BeforeAll(func(ctx SpecContext) {
		ns = kube.NewNamespace(ctx, "startup-injected", kube.Injected)
		kube.AwaitAccount(ctx, ns)
	})

	// judge injects into a pod that is never created, and compares its proxy's probes.
	judge := func(ctx SpecContext, fixture string, want ...string) *corev1.Pod {
		GinkgoHelper()
		pod := kube.Admitted[corev1.Pod](ctx, ns, fixture)
		probes, err := probesOf(pod.Spec)
		Expect(err).NotTo(HaveOccurred())
		evidence.API("probes of the proxy in pod "+pod.Name, "%s", or(probes, "none"))
		Expect(probes).To(have(want...), "probes of the proxy that %s got", fixture)
		return pod
	}

	It("gives a sidecar a startup probe every second for ten minutes, and then a readiness probe every fifteen seconds", spec.ID("startupprobe.sidecar-probes"), Label(catalogue.Smoke), func(ctx SpecContext) {
		pod := judge(ctx, plain, startup, readiness)
		Expect(pod.Spec.Containers[0]).To(SatisfyAll(HaveField("Name", "echo"), HaveField("StartupProbe", BeNil()), HaveField("ReadinessProbe", BeNil())),
			"the application's container has a probe that its fixture has not")
	})

	It("lets a pod's annotations alter the readiness probe and leaves the startup probe as it is", spec.ID("startupprobe.annotations-readiness-only"), func(ctx SpecContext) {
		judge(ctx, "startupprobe/readiness.yaml",
			startup, "readiness GET :15021/healthz/ready after 7s, every 8s, 3s each, fails at 9")
	})

	It("gives a sidecar neither probe where the pod's status port is 0", spec.ID("startupprobe.status-port-zero"), func(ctx SpecContext) {
		judge(ctx, "startupprobe/no-status-port.yaml")
	})

	It("gives a gateway that it fills in the sidecar's readiness probe and no startup probe", spec.ID("startupprobe.injected-gateway-readiness-only"), func(ctx SpecContext) {
		judge(ctx, "startupprobe/injected-gateway.yaml", readiness)
	})
})

var _ = Describe("The gateway controller", Label(catalogue.StartupProbe), func() {
	It("gives the proxy of a Gateway a startup probe every second for half a minute", spec.ID("startupprobe.managed-gateway-probe"), func(ctx SpecContext) {
		ns := kube.NewNamespace(ctx, "startup-managed")
		kube.Apply(ctx, ns, "startupprobe/managed-gateway.yaml")
		gateway.AwaitManaged(ctx, ns, "web")
		made, err := gateway.Deployment(ns, "web")(ctx)
		Expect(err).NotTo(HaveOccurred())
		probes, err := probesOf(made.Spec.Template.Spec)
		Expect(err).NotTo(HaveOccurred())
		evidence.Look(ns, "deployment", made.Name)
		evidence.API("probes of the proxy in Deployment "+made.Name, "%s", or(probes, "none"))
		Expect(probes).To(have(
			"startup GET :15021/healthz/ready after 1s, every 1s, 1s each, fails at 30",
			"readiness GET :15021/healthz/ready after 0s, every 15s, 1s each, fails at 4",
		), "probes of the proxy of Gateway web")
	})
})

// or writes a list for a reader, and what an empty one means.
func or(list []string, empty string) string {
	if len(list) == 0 {
		return empty
	}
	return strings.Join(list, "; ")
}
