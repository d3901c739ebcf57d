package upgrade

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/gateway"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/standin"
	"mesh-conformance/suites/internal/steady"
	"mesh-conformance/suites/internal/timing"
)

// The workloads of fixtures/upgrade, and the Gateway.
const (
	client   = "client"
	serverA  = "server-a"
	serverB  = "server-b"
	entrance = "web"
)

// withoutIstioAuthn takes from the proxies what upstream Envoy lacks.
const withoutIstioAuthn = "upgrade/without-istio-authn.yaml"

// requests is how many of them each measurement at rest makes.
const requests = 5

// bed is a mesh in use: two streams of requests run through it from the beginning to the end.
type bed struct {
	installer *mesh.Installer
	namespace string
	apps      map[string]*echo.Workload
	// web is the Deployment that istiod made for the Gateway in the beginning.
	web *appsv1.Deployment

	// visitor is the stream to the servers through the gateway.
	visitor *steady.Requests
	// inside is the stream to them through the client's sidecar, by a listener of fixtures/upgrade/inside.yaml.
	inside *steady.Requests
}

// newCluster makes a cluster of the container's own, ready for a control plane.
func newCluster(ctx context.Context, name string) *mesh.Installer {
	GinkgoHelper()
	installer := mesh.NewInstaller(session.Job(), cluster.Own(ctx, name), GinkgoWriter)
	Expect(installer.GatewayAPI(ctx)).To(Succeed())
	return installer
}

// furnish deploys the workloads and the gateway below a control plane that is there already, and lets the
// traffic begin.
func furnish(ctx context.Context, installer *mesh.Installer, label string) *bed {
	GinkgoHelper()
	b := &bed{installer: installer, namespace: kube.NewNamespace(ctx, "upgrade", label)}
	standin.TakeOut(ctx, mesh.Namespace, withoutIstioAuthn, session.Job().Cell.BeforeExtensions)
	for _, fixture := range []string{"strict", "closed-" + serverA, "inside", "entrance", "apps", "plain"} {
		kube.Apply(ctx, b.namespace, path.Join("upgrade", fixture+".yaml"))
	}
	b.apps = echo.Await(ctx, b.namespace, client, serverA, serverB)
	gateway.AwaitProgrammed(ctx, b.namespace, entrance, gatewayv1.HostnameAddressType)
	var err error
	b.web, err = gateway.Deployment(b.namespace, entrance)(ctx)
	Expect(err).NotTo(HaveOccurred())

	By("waiting until requests come through")
	b.visitor = steady.Through(ctx, b.namespace, "visitor through the gateway", gateway.ManagedName(entrance))
	b.inside = steady.Through(ctx, b.namespace, "visitor through the client's sidecar", "inside")
	return b
}

// losesNothing judges both streams since they were judged last.
func (b *bed) losesNothing(ctx context.Context, what string) {
	GinkgoHelper()
	for _, stream := range []*steady.Requests{b.visitor, b.inside} {
		count := stream.Take(ctx, what)
		Expect(count.Sent).To(BeNumerically(">", 0), "no request was sent %s", what)
		Expect(count).To(steady.LoseNothing(), what)
	}
}

// restart moves a workload to a new pod, under both streams.
func (b *bed) restart(ctx context.Context, workload string) {
	GinkgoHelper()
	begun := time.Now()
	b.apps[workload] = echo.Restart(ctx, b.apps[workload])
	evidence.API("restart of "+workload, "the new pod is ready after %.1fs", time.Since(begun).Seconds())
}

// holds says of what release the proxies are: all of one, but for those named.
func (b *bed) holds(ctx context.Context, all kindconfig.Release, but fleet) {
	GinkgoHelper()
	want := fleet{client: all.Istio, serverA: all.Istio, serverB: all.Istio, entrance: all.Istio}
	for workload, release := range but {
		want[workload] = release
	}
	found, err := proxies(b.namespace)(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(Equal(want), "the releases of the proxies")
	evidence.Config("releases of the proxies", "%s", found)
}

// stay watches that no workload restarts that the bed does not restart itself.
func (b *bed) stay(ctx context.Context) {
	GinkgoHelper()
	Consistently(ctx, func(ctx context.Context) ([]string, error) {
		var pods corev1.PodList
		err := kube.Shared().Client.List(ctx, &pods, ctrl.InNamespace(b.namespace), ctrl.HasLabels{"app"})
		var changed []string
		for _, name := range slices.Sorted(maps.Keys(b.apps)) {
			if what := changeOf(b.apps[name].Pod, pods.Items); what != "" {
				changed = append(changed, what)
			}
		}
		return changed, err
	}, timing.Quiet, timing.Poll).Should(BeEmpty(), "pods of workloads that do not stay as they were")
}

// changeOf is what became of a pod, "" where it is among those there are and as it was.
func changeOf(pod *corev1.Pod, among []corev1.Pod) string {
	at := slices.IndexFunc(among, func(one corev1.Pod) bool { return one.UID == pod.UID })
	if at < 0 {
		return pod.Name + " is gone"
	}
	if among[at].DeletionTimestamp != nil {
		return pod.Name + " is going"
	}
	for _, container := range among[at].Status.ContainerStatuses {
		if container.RestartCount > 0 {
			return fmt.Sprintf("container %s of %s has restarted", container.Name, pod.Name)
		}
	}
	return ""
}

// talk sends requests from one workload to another and demands mutual TLS.
func (b *bed) talk(ctx context.Context, from, to string) {
	GinkgoHelper()
	sidecar.AwaitReach(ctx, b.apps[from], b.apps[to])
	answers := b.apps[from].Measure(ctx, b.apps[to].URL("/"), requests)
	Expect(answers).To(match.HaveStatus(200))
	Expect(answers).To(match.BeServedBy(b.apps[to]))
	Expect(answers).To(match.HaveSPIFFE(b.apps[from].SPIFFE()), "the server does not see who called: no mutual TLS")
}

// strict asserts that a server takes nothing from who has no certificate of the mesh.
func (b *bed) strict(ctx context.Context) {
	GinkgoHelper()
	visitor, url := steady.NodePort(ctx, b.namespace, "plain")
	Expect(visitor.Measure(ctx, url, requests)).To(match.BeCutOff(), "requests without TLS to %s", serverA)
}

// gatewayObeys gives the gateway a route and takes it away: its proxy follows the istiod that there is now.
func (b *bed) gatewayObeys(ctx context.Context) {
	GinkgoHelper()
	const route, header = "newcomer", "x-route"
	visitor, url := steady.NodePort(ctx, b.namespace, gateway.ManagedName(entrance))
	ask := func(ctx context.Context) (echo.Answers, error) { return visitor.Send(ctx, url+route, 1) }
	By("asking before there is the route")
	Expect(ask(ctx)).NotTo(match.HaveResponseHeader(header, route))
	kube.Apply(ctx, b.namespace, "upgrade/"+route+".yaml")
	Eventually(ctx, ask, timing.Push(), timing.Poll).Should(match.HaveResponseHeader(header, route), "a request by the route that the gateway was given")
	kube.Remove[gatewayv1.HTTPRoute](ctx, b.namespace, route)
	Eventually(ctx, ask, timing.Push(), timing.Poll).ShouldNot(match.HaveResponseHeader(header, route), "a request by the route that the gateway was deprived of")
	evidence.Traffic("visitor through the gateway", "a route that came, and went, was followed")
}

// countsLosses is the control of losesNothing: it has every request refused, and both streams count that.
func (b *bed) countsLosses(ctx context.Context) {
	GinkgoHelper()
	kube.Apply(ctx, b.namespace, "upgrade/closed-to-all.yaml")
	visitor, url := steady.NodePort(ctx, b.namespace, gateway.ManagedName(entrance))
	Eventually(ctx, func(ctx context.Context) (echo.Answers, error) { return visitor.Send(ctx, url, 1) }, timing.Push(), timing.Poll).Should(match.BeDenied())
	Eventually(ctx, b.apps[client].Send, timing.Push(), timing.Poll).WithArguments(b.apps[serverA].URL("/"), 1).Should(match.BeDenied())
	Eventually(ctx, b.apps[client].Send, timing.Push(), timing.Poll).WithArguments(b.apps[serverB].URL("/"), 1).Should(match.BeDenied())
	for _, stream := range []*steady.Requests{b.visitor, b.inside} {
		// A proxy may hold connections that are older than the policy, each good for one request more. A stretch that has them
		// in use counts some answers. Once all are used up, every request of a stretch is lost.
		var count steady.Count
		Eventually(ctx, func(ctx context.Context) steady.Count {
			count = stream.Take(ctx, "while every request comes to be refused")
			return count
		}, timing.Rollout(), timing.Poll).Should(steady.LoseEverything(), "requests of a stream while a policy refuses every request")
		Expect(count).NotTo(steady.LoseNothing())
	}
}

// obeys closes a path of a workload by a policy: its proxy follows the istiod that there is now.
func (b *bed) obeys(ctx context.Context, workload, caller string) {
	GinkgoHelper()
	const rbac, closed = "envoy.filters.http.rbac", "/closed"
	from, to := b.apps[caller], b.apps[workload]
	sidecar.AwaitReach(ctx, from, to)
	By("asking before there is a policy")
	Expect(sidecar.Inbound(to)(ctx)).To(match.HaveNoHTTPFilter(echo.Port, rbac))
	Expect(from.Measure(ctx, to.URL(closed), requests)).To(match.HaveStatus(200))
	By("asking when the proxy holds the policy")
	kube.Apply(ctx, b.namespace, "upgrade/closed-"+workload+".yaml")
	sidecar.AwaitInbound(ctx, to, match.HaveHTTPFilter(echo.Port, rbac))
	Expect(from.Measure(ctx, to.URL(closed), requests)).To(match.BeDenied())
	Expect(from.Measure(ctx, to.URL("/"), requests)).To(match.HaveStatus(200))
}

// gatewayMoves waits until istiod has replaced the Gateway's proxy by a release's, in the same Deployment.
func (b *bed) gatewayMoves(ctx context.Context, to kindconfig.Release) {
	GinkgoHelper()
	image := to.Hub + "/proxyv2:" + to.Tag
	begun := time.Now()
	Eventually(ctx, gateway.Deployment(b.namespace, entrance), timing.Push(), timing.Poll).Should(SatisfyAll(
		HaveField("UID", b.web.UID),
		WithTransform(imagesOf, HaveExactElements(image)),
	), "the Deployment of Gateway %s", entrance)
	Expect(kube.Shared().WaitAvailable(ctx, b.namespace, gateway.ManagedName(entrance))).To(Succeed())
	Eventually(ctx, proxies(b.namespace), timing.Push(), timing.Poll).Should(HaveKeyWithValue(entrance, to.Istio), "the release of the gateway's proxy")
	b.gatewayObeys(ctx)
	evidence.Look(b.namespace, "deployment", gateway.ManagedName(entrance))
	evidence.API("Deployment of the Gateway", "image %s, UID %s as before, rolled out %.1fs later", image, b.web.UID, time.Since(begun).Seconds())
}

// imagesOf are the images of a Deployment's containers.
func imagesOf(deployment *appsv1.Deployment) []string {
	var images []string
	for _, container := range deployment.Spec.Template.Spec.Containers {
		images = append(images, container.Image)
	}
	return images
}
