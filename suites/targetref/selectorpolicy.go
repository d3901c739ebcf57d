package targetref

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/jwt"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/standin"
	"mesh-conformance/suites/internal/timing"
)

// The plane alias has ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY off; that its default is on is shown beside the
// targetRefs of each kind, by the same fixtures.
var _ = Describe("With selectors for Gateways switched off", Ordered, ContinueOnFailure, func() {
	var ns string
	var a entrance

	evidence.BeforeAll(func(ctx SpecContext) {
		Expect(mesh.Await(ctx, kube.Shared(), mesh.Alias())).To(Succeed())
		ns = kube.NewNamespace(ctx, "targetref-selector", mesh.OfAlias, mesh.InjectedByAlias)
		kube.Apply(ctx, ns, "targetref/gw-a.yaml")
		echo.Deploy(ctx, ns, "server")
		a = byGateway(ctx, ns, "gw-a")
		awaitOpen(ctx, a)
	})

	// awaitIgnored waits until istiod says that it has seen a policy and leaves the Gateway alone. Since 1.21 it says so at level
	// debug only (pilot/pkg/model/policyattachment.go), and these specs end there.
	awaitIgnored := func(ctx context.Context, groupKind, name string) {
		GinkgoHelper()
		words := fmt.Sprintf("Ignoring workload-scoped %s %s.%s for gateway gw-a because it has no targetRef", groupKind, ns, name)
		Eventually(ctx, says, timing.Push(), timing.Poll).WithArguments(mesh.Alias(), words).Should(BeTrue(), "istiod of the plane alias does not say: %s", words)
		evidence.Config("istiod's log", "%s", words)
		evidence.Replay("kubectl logs -n %s deploy/%s | grep 'Ignoring workload-scoped'", mesh.Namespace, mesh.Alias().Deployment())
	}

	It("an AuthorizationPolicy reaches a Gateway by targetRef only", spec.ID("targetref.authorizationpolicy.selector-switched-off"), spec.Until("1.21"), Label(catalogue.TargetRefAuthorizationPolicy), func(ctx SpecContext) {
		kube.Apply(ctx, ns, "targetref/deny-selector.yaml")
		awaitIgnored(ctx, "security.istio.io/AuthorizationPolicy", "deny-selector")
		stay(ctx, time.Now(), haveNoFilter(rbac), a)
		Expect(a.measure(ctx, "/deny-selector")).To(match.HaveStatus(200))

		kube.Apply(ctx, ns, "targetref/deny.yaml")
		a.await(ctx, haveFilter(rbac))
		Expect(a.measure(ctx, "/deny")).To(match.BeDenied())
		Expect(a.measure(ctx, "/deny-selector")).To(match.HaveStatus(200))
	})

	It("a RequestAuthentication reaches a Gateway by targetRef only", spec.ID("targetref.requestauthentication.selector-switched-off"), spec.Until("1.21"), Label(catalogue.TargetRefRequestAuthentication), func(ctx SpecContext) {
		standin.Apply(ctx, ns, a.proxy)
		issuer, other := newIssuer(issuerName), newIssuer(otherIssuerName)
		claims := jwt.Claims{"sub": "alice", "aud": "bookstore"}
		kube.Apply(ctx, ns, "targetref/jwt-selector.yaml")
		trust(ctx, ns, "jwt-selector", []*jwt.Issuer{other})
		awaitIgnored(ctx, "security.istio.io/RequestAuthentication", "jwt-selector")
		stay(ctx, time.Now(), haveNoFilter(jwtAuthn), a)
		Expect(a.measure(ctx, "/", jwt.Bearer("token"))).To(match.HaveStatus(200))

		kube.Apply(ctx, ns, "targetref/jwt.yaml")
		trust(ctx, ns, "jwt", []*jwt.Issuer{issuer}, a)
		Expect(a.measure(ctx, "/", bearing(issuer, claims))).To(match.HaveStatus(200))
		Expect(a.measure(ctx, "/", bearing(other, claims))).To(match.BeRefused(401, "Jwt issuer is not configured"))
	})

	It("a Telemetry reaches no Gateway by a selector", spec.ID("targetref.telemetry.selector-switched-off"), spec.Until("1.21"), Label(catalogue.TargetRefTelemetry), func(ctx SpecContext) {
		kube.Apply(ctx, ns, "targetref/telemetry-selector.yaml")
		awaitIgnored(ctx, "telemetry.istio.io/Telemetry", "access-log-selector")
		loggers.stay(ctx, time.Now(), silent, a)

		kube.Apply(ctx, ns, "targetref/telemetry.yaml")
		loggers.await(ctx, logging, a)
	})
})

// says finds words in what the istiod of a plane has written since the current spec began.
func says(ctx context.Context, plane mesh.ControlPlane, words string) (bool, error) {
	pods, err := kube.Shared().Clientset.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{"app": "istiod", "istio.io/rev": plane.Revision}.String(),
	})
	if err != nil {
		return false, fmt.Errorf("find the istiod of the plane %s: %w", plane.Name, err)
	}
	for _, pod := range pods.Items {
		log, err := kube.Shared().Logs(ctx, pod.Namespace, pod.Name, "", CurrentSpecReport().StartTime)
		if err != nil || strings.Contains(log, words) {
			return err == nil, err
		}
	}
	return false, nil
}
