package openshift

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/sound"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

var _ = Describe("Without anyuid", Ordered, ContinueOnFailure, SpecPriority(timing.PriorityLong), Label(catalogue.OpenShift), func() {
	s := &site{}
	evidence.BeforeAll(func(ctx SpecContext) { *s = *lay(ctx) })

	Describe("a sidecar", func() { ofSidecars(s) })
	Describe("a gateway", func() { ofGateways(s) })
	Describe("istiod", func() { ofIstiod(s) })
	Describe("the injector", func() { ofAnnotations(s) })
	Describe("a constraint in the manner of restricted-v2", func() { ofConstraint(s) })

	It("has had no proxy refuse what it was sent, and no istiod crash", spec.ID("openshift.health"), func(ctx SpecContext) { sound.OfOwnCluster(ctx) })
})

func ofSidecars(s *site) {
	It("runs as the last user and group of its namespace, beside a workload that is another user", spec.ID("openshift.sidecar-ids"), Label(catalogue.Smoke), func(ctx SpecContext) {
		Expect(idsOf(ctx, s.project, s.server.Pod.Name, sidecar.Container, "envoy")).To(Equal(ids{lastUser, lastGroup}), "ids of the sidecar of %s", s.server.Name)
		Expect(askedUser(s.server.Pod, echo.Container)).To(BeEquivalentTo(firstUser), "user of the workload beside the sidecar of %s", s.server.Name)
	})

	It("is the one whose user and group rules of iptables let pass, and nobody else is", spec.ID("openshift.sidecar-iptables"), func(ctx SpecContext) {
		Expect(ownersOf(ctx, s.server.Pod)).To(Equal(owners{Users: []string{fmt.Sprint(lastUser)}, Groups: []string{fmt.Sprint(lastGroup)}}), "owners in the rules of %s", s.server.Name)
		Expect(excluded(s.server.Pod, validation)).To(BeEquivalentTo(lastUser), "user that %s is told", validation)
	})

	It("starts with istio-cni and without a privilege", spec.ID("openshift.sidecar-cni-unprivileged"), func(ctx SpecContext) {
		pod, err := kube.Getter[corev1.Pod](s.project, s.server.Pod.Name)(ctx)
		Expect(err).NotTo(HaveOccurred())
		evidence.Look(s.project, "pod", pod.Name)
		Expect(pod.Spec.InitContainers).To(HaveExactElements(HaveField("Name", validation)), "init containers")
		Expect(asked(pod, validation)).To(Equal(ids{lastUser, lastGroup}), "ids of %s", validation)
		Expect(pod.Status.InitContainerStatuses).To(HaveExactElements(HaveField("State.Terminated.ExitCode", BeZero())), "exit code of %s", validation)
		for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
			security, err := contextOf(pod, container.Name)
			Expect(err).NotTo(HaveOccurred())
			Expect(security.Capabilities).To(Equal(&corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}), "capabilities of %s", container.Name)
			Expect(security.AllowPrivilegeEscalation).To(HaveValue(BeFalse()), "privilege escalation of %s", container.Name)
		}
		evidence.API("pod "+pod.Name, "runs with %s only, ids %d and %d, no capability", validation, lastUser, lastGroup)
	})

	It("carries requests under STRICT and shows the server who calls", spec.ID("openshift.sidecar-strict"), Label(catalogue.Smoke), func(ctx SpecContext) {
		By("waiting until the server's proxy demands TLS and the client's knows where it is")
		sidecar.AwaitInbound(ctx, s.server, match.TakeOnlyTLS(echo.Port))
		sidecar.AwaitReach(ctx, s.client, s.server)

		By("measuring once")
		answers := s.client.Measure(ctx, s.server.URL("/"), requests)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(s.server))
		Expect(answers).To(match.HaveSPIFFE(s.client.SPIFFE()))
	})

	It("takes no plaintext under STRICT", spec.ID("openshift.sidecar-refuses-plaintext"), func(ctx SpecContext) {
		sidecar.AwaitInbound(ctx, s.server, match.TakeOnlyTLS(echo.Port))
		Expect(s.outsider.Measure(ctx, s.server.DirectURL("/"), requests)).To(match.BeCutOff())
	})
}

func ofGateways(s *site) {
	const name = "entrance"
	service := gateway.ManagedName(name)

	It("that istiod deploys runs as the last user and group of its namespace, and carries requests", spec.ID("openshift.gateway-managed-ids"), func(ctx SpecContext) {
		host := gateway.AwaitProgrammed(ctx, s.project, name, "Hostname")
		held, err := gateway.ProxyOf(ctx, s.project, name)
		Expect(err).NotTo(HaveOccurred())
		Expect(idsOf(ctx, s.project, held.Pod, sidecar.Container, "envoy")).To(Equal(ids{lastUser, lastGroup}), "ids of %s", held)

		By("waiting until the gateway knows the way to the server")
		awaitWay(ctx, held, s)

		By("measuring once, from outside the mesh")
		answers := s.outsider.Measure(ctx, "http://"+host+"/", requests)
		Expect(answers).To(match.HaveStatus(http.StatusOK))
		Expect(answers).To(match.BeServedBy(s.server))
		Expect(answers).To(match.HaveSPIFFE("spiffe://cluster.local/ns/" + s.project + "/sa/" + service))
	})

	It("that the injector writes is admitted with the last user and group of its namespace", spec.ID("openshift.gateway-injected-admitted"), func(ctx SpecContext) {
		pod := kube.Admitted[corev1.Pod](ctx, s.project, injectedGateway)
		Expect(asked(pod, sidecar.Container)).To(Equal(ids{lastUser, lastGroup}), "ids of the injected gateway")
		Expect(pod.Spec.InitContainers).To(BeEmpty(), "init containers")
		evidence.API("pod of "+injectedGateway, "admitted with ids %d and %d", lastUser, lastGroup)
	})

	It("that the injector writes is refused where the injector was not told the platform", spec.ID("openshift.gateway-injected-no-platform-refused"), func(ctx SpecContext) {
		awaitRefusal(ctx, s.unset, injectedGateway, outOfRange(sidecar.Container, proxyUser))
	})
}

// awaitWay waits until the gateway has the route of the server and the server's pod.
func awaitWay(ctx SpecContext, held proxy.Proxy, s *site) {
	GinkgoHelper()
	Eventually(ctx, held.VirtualHost, timing.Push(), timing.Poll).WithArguments("*").ShouldNot(BeNil(), "virtual host of %s", held)
	to := "outbound|80||" + s.server.Name + "." + s.project + ".svc.cluster.local"
	Eventually(ctx, held.EndpointsOf, timing.Push(), timing.Poll).WithArguments(to).
		Should(ConsistOf(HaveField("Address", HavePrefix(s.server.Pod.Status.PodIP+":"))), "endpoints of %s, %s", held, to)
}

func ofConstraint(s *site) {
	It("assigns what a pod leaves open", spec.ID("openshift.scc-assigns"), func(ctx SpecContext) {
		pod := kube.Admitted[corev1.Pod](ctx, s.bare, plainPod)
		Expect(fsGroup(pod.Spec)).To(Equal(fmt.Sprint(firstGroup)), "fsGroup that %s is assigned", plainPod)
		Expect(askedUser(pod, echo.Container)).To(BeEquivalentTo(firstUser), "user that %s is assigned", plainPod)
		evidence.API("pod in "+s.bare, "user %d, fsGroup %d", firstUser, firstGroup)
	})

	DescribeTable("refuses",
		func(ctx SpecContext, fixture, words string) {
			Expect(kube.Refused(ctx, s.bare, "openshift/refused-"+fixture+".yaml")).To(HaveSuffix("denied the request: restricted-v2: " + words))
		},
		Entry("a pod whose user is out of the namespace's range", spec.ID("openshift.scc-refuses-user"),
			"user", outOfRange("echo", proxyUser)),
		Entry("a pod that is root", spec.ID("openshift.scc-refuses-root"), "root", outOfRange("echo", 0)),
		Entry("a pod whose fsGroup is not the namespace's", spec.ID("openshift.scc-refuses-group"),
			"group", fmt.Sprintf("fsGroup %d is not %d", proxyUser, firstGroup)),
		Entry("a pod with NET_ADMIN", spec.ID("openshift.scc-refuses-capability"),
			"capability", "container echo: may not add capability NET_ADMIN"),
		Entry("a privileged pod", spec.ID("openshift.scc-refuses-privileged"),
			"privileged", "container echo: may not be privileged; container echo: may not allow privilege escalation"),
		Entry("a pod that allows privilege escalation", spec.ID("openshift.scc-refuses-escalation"),
			"escalation", "container echo: may not allow privilege escalation"),
		Entry("a pod on the host's network", spec.ID("openshift.scc-refuses-host-network"),
			"host-network", "the pod may not use the host's network"),
		Entry("a pod with a path of the host", spec.ID("openshift.scc-refuses-host-path"),
			"host-path", "volume node is of a type that is not allowed"),
	)

	It("refuses every pod of a namespace without OpenShift's annotations", spec.ID("openshift.scc-refuses-bare-namespace"), func(ctx SpecContext) {
		namespace := kube.NewNamespace(ctx, "unannotated", restricted)
		kube.AwaitAccount(ctx, namespace)
		Expect(kube.Refused(ctx, namespace, plainPod)).To(ContainSubstring("restricted-v2: namespace %s: annotation %s", namespace, annotationUsers))
	})

	It("rejects injected pods because of their UID if the injector does not know the platform", spec.ID("openshift.scc-refuses-no-platform"), func(ctx SpecContext) {
		awaitRefusal(ctx, s.unset, plainPod, proxyUserRefused())
	})

	It("refuses injected pods of the release before, told the platform, for their user", spec.ID("openshift.scc-refuses-release-before"), Label(catalogue.Smoke), func(ctx SpecContext) {
		awaitRefusal(ctx, s.before, plainPod, proxyUserRefused())
	})

	It("refuses injected pods without istio-cni, for the capabilities and the user of istio-init", spec.ID("openshift.scc-refuses-without-cni"), func(ctx SpecContext) {
		awaitVerdict(ctx, s.project, plainPod, admitted)
		By("having the injector take istio-cni as not installed")
		withoutCNI(ctx)
		By("asking again")
		awaitRefusal(ctx, s.project, plainPod, strings.Join([]string{
			outOfRange(initContainer, 0),
			"container " + initContainer + ": may not add capability NET_ADMIN",
			"container " + initContainer + ": may not add capability NET_RAW",
		}, "; "))

		By("looking at what istio-init would be told where nobody refuses it")
		annotate(ctx, s.free, allotted)
		Eventually(ctx, func(ctx context.Context) (int64, error) {
			pod, err := kube.Admit[corev1.Pod](ctx, s.free, plainPod)
			if err != nil {
				return 0, err
			}
			return excluded(pod, initContainer)
		}, timing.Push(), timing.Poll).Should(BeEquivalentTo(lastUser), "user that %s is told to let pass", initContainer)
		evidence.API(initContainer, "lets user %d pass", lastUser)
	})
}

// proxyUserRefused is what the constraint says of the fixed user of Istio's containers.
func proxyUserRefused() string {
	return outOfRange(validation, proxyUser) + "; " + outOfRange(sidecar.Container, proxyUser)
}
