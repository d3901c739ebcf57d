package openshift

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/cluster"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
)

// ownCluster is the name of the container's own cluster: a CNI plugin changes the node, and the stand-in for the
// constraint has a say in every namespace.
const ownCluster = "openshift"

// metaNamespace holds what an OpenShift cluster has beyond Kubernetes.
const metaNamespace = "kube-system"

// requests are how many one measurement sends.
const requests = 20

// The fixtures of a plain pod, and of one whose container the injector writes.
const (
	plainPod        = "openshift/pod.yaml"
	injectedGateway = "openshift/injected-gateway.yaml"
)

// The init containers of injected pods: one checks what istio-cni has done, the other does it, where there is no
// istio-cni.
const (
	validation    = "istio-validation"
	initContainer = "istio-init"
)

// site is what the container's specs share.
type site struct {
	// project is a namespace of meshed workloads under the constraint, and bare one without a mesh.
	project, bare string
	// free is a namespace of the mesh that the constraint does not look at.
	free string
	// unset and before are as project, of the planes for comparison.
	unset, before string

	client, server *echo.Workload
	// outsider has no sidecar, and is not looked at.
	outsider *echo.Workload
}

// lay makes the cluster and everything in it.
func lay(ctx SpecContext) *site {
	GinkgoHelper()
	cluster.Own(ctx, ownCluster)
	kube.Apply(ctx, metaNamespace, "openshift/admission.yaml")
	restrict(ctx, mesh.Namespace)
	Expect(kube.Shared().WaitAvailable(ctx, metaNamespace, "sccadmission")).To(Succeed())
	installPlane(ctx)

	controls := make(chan error, 1)
	go func() { controls <- installControls(ctx) }()
	s := &site{free: kube.NewNamespace(ctx, "free", kube.Injected)}
	outside := kube.NewNamespace(ctx, "outside")
	kube.Apply(ctx, outside, "echo/client.yaml")
	s.project = newProject(ctx, "project", kube.Injected, restricted)
	By("waiting until istiod knows what the namespace is allotted: OpenShift, too, tells that of a namespace that is there")
	Eventually(ctx, idsIn(s.project, plainPod), timing.Push(), timing.Poll).Should(Equal(ids{lastUser, lastGroup}))
	kube.Apply(ctx, s.project, "openshift/strict.yaml")
	kube.Apply(ctx, s.project, "openshift/gateway.yaml")
	workloads := echo.Deploy(ctx, s.project, "client", "server")
	s.client, s.server = workloads["client"], workloads["server"]
	s.outsider = echo.Await(ctx, outside, "client")["client"]

	s.bare = newProject(ctx, "bare", restricted)
	s.unset = newProject(ctx, "unset", "istio.io/rev="+revisionUnset, restricted)
	s.before = newProject(ctx, "before", "istio.io/rev="+revisionBefore, restricted)
	kube.AwaitAccount(ctx, s.free)
	Expect(<-controls).To(Succeed())
	return s
}

// idsIn gives the ids that the proxy of a fixture's pod would have in a namespace.
func idsIn(namespace, fixture string) func(context.Context) (ids, error) {
	return func(ctx context.Context) (ids, error) {
		pod, err := kube.Admit[corev1.Pod](ctx, namespace, fixture)
		if err != nil {
			return ids{}, err
		}
		return asked(pod, sidecar.Container)
	}
}

// admitted is what verdict says of a pod that may run.
const admitted = "admitted"

// verdict says what becomes of the fixture's pod in a namespace: admitted, or the words of its refusal.
func verdict(namespace, fixture string) func(context.Context) string {
	return func(ctx context.Context) string {
		if _, err := kube.Admit[corev1.Pod](ctx, namespace, fixture); err != nil {
			return err.Error()
		}
		return admitted
	}
}

// awaitVerdict waits until a fixture's pod gets the verdict in a namespace: an injector needs a moment to see what
// changed.
func awaitVerdict(ctx context.Context, namespace, fixture, want string) {
	GinkgoHelper()
	evidence.Replay("kubectl create --dry-run=server -n %s -f %s/%s", namespace, fixtures.Root, fixture)
	Eventually(ctx, verdict(namespace, fixture), timing.Push(), timing.Poll).Should(Equal(want), "verdict on %s in %s", fixture, namespace)
	evidence.API("pod of "+fixture+" in "+namespace, "%s", want)
}

// awaitRefusal is awaitVerdict for a refusal by the constraint, in exactly these words.
func awaitRefusal(ctx context.Context, namespace, fixture, words string) {
	GinkgoHelper()
	awaitVerdict(ctx, namespace, fixture, `admission webhook "restricted-v2.sccadmission.internal" denied the request: restricted-v2: `+words)
}

// outOfRange is what the constraint says of a container's user.
func outOfRange(container string, user int64) string {
	return fmt.Sprintf("container %s: runAsUser %d is not in %d-%d", container, user, firstUser, lastUser)
}
