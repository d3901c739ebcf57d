package upgrade

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1alpha3 "istio.io/client-go/pkg/apis/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/timing"
)

// restarts bounds how often an istiod is restarted that does not deploy Gateways.
const restarts = 5

// deploysGateways waits until an istiod of the release before has begun to deploy Gateways. One of 1.19.0
// sometimes never does: it gets the lease, and then waits for informers that were started while it made them
// (pilot/pkg/bootstrap/configcontroller.go). What an upgrade starts from must work, so it is restarted, as its
// operator would.
func deploysGateways(ctx context.Context, plane mesh.ControlPlane) {
	GinkgoHelper()
	for restarted := 0; !begins(ctx, istiod(ctx)); restarted++ {
		Expect(restarted).To(BeNumerically("<", restarts),
			"istiod of the release before did not begin to deploy Gateways within %s, nor after any restart", timing.Begun())
		old := istiod(ctx)
		Expect(kube.Shared().Client.Delete(ctx, old)).To(Succeed())
		Eventually(ctx, istiods, timing.Rollout(), timing.Poll).
			Should(HaveExactElements(HaveField("UID", Not(Equal(old.UID)))), "the pods of istiod")
		Expect(kube.Shared().WaitAvailable(ctx, mesh.Namespace, plane.Deployment())).To(Succeed())
		By("waiting until the node leads the API server to the new pod: what it validates next is refused before")
		Eventually(ctx, func(ctx context.Context) error {
			_, err := kube.Admit[networkingv1alpha3.EnvoyFilter](ctx, mesh.Namespace, withoutIstioAuthn)
			return err
		}, timing.Push(), timing.Poll).Should(Succeed(), "%s in a dry run", withoutIstioAuthn)
		evidence.API("istiod of the release before", "did not begin to deploy Gateways, and was restarted: %d", restarted+1)
	}
}

// begins says whether an istiod begins to deploy Gateways; it tells so in its log.
func begins(ctx context.Context, pod *corev1.Pod) bool {
	err := wait.PollUntilContextTimeout(ctx, timing.Poll, timing.Begun(), true, func(ctx context.Context) (bool, error) {
		log, err := kube.Shared().Logs(ctx, pod.Namespace, pod.Name, "discovery", time.Time{})
		return err == nil && strings.Contains(log, "controller=gateway deployment"), nil
	})
	return err == nil
}

func istiod(ctx context.Context) *corev1.Pod {
	GinkgoHelper()
	pods, err := istiods(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(pods).To(HaveLen(1), "the pods of istiod")
	return &pods[0]
}

func istiods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := kube.Shared().Client.List(ctx, &pods, ctrl.InNamespace(mesh.Namespace), ctrl.MatchingLabels{"app": "istiod"})
	return pods.Items, err
}
