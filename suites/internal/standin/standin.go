// Package standin puts something in the place of what only Istio's own Envoy has.
package standin

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/sidecar"
	"mesh-conformance/suites/internal/timing"
	"mesh-conformance/suites/internal/xds/envoy"
)

const (
	// Filter is the filter that Istio's own Envoy has and istiod asks for with a RequestAuthentication.
	Filter = "istio_authn"
	// mark is the cluster by which a proxy shows that istiod knows the stand-in.
	mark = "stand-in-for-istio-authn"
)

// Apply gives a namespace a stand-in for the filter istio_authn and waits until istiod knows it for each of
// the proxies, all of the namespace's that a RequestAuthentication is going to reach. Only then may there be
// one: istiod hears of different kinds of objects in no certain order, and a proxy that is sent the original
// refuses its listeners. For the same reason cleanup takes the RequestAuthentications from the proxies first.
// Proxies that have the filter keep their own, and Apply does nothing.
func Apply(ctx context.Context, namespace string, proxies ...proxy.Proxy) {
	GinkgoHelper()
	if !needed(session.Job().Cell.ProxyExtensions) {
		evidence.Config("filter "+Filter, "the proxies have their own, by their list of extensions")
		return
	}
	kube.Apply(ctx, namespace, "standin/istio-authn.yaml")
	DeferCleanup(func(ctx SpecContext) { withdraw(ctx, namespace, proxies) })
	for _, held := range proxies {
		Eventually(ctx, held.Clusters, timing.Push(), timing.Poll).Should(ContainElement(HaveField("Name", mark)),
			"istiod does not know of the stand-in for %s, by the clusters of %s", Filter, held)
		evidence.Replay("kubectl exec -n %s %s -c %s -- pilot-agent request GET clusters | grep %s", held.Namespace, held.Pod, sidecar.Container, mark)
	}
}

// TakeOut applies a fixture that takes the filter out of the configuration of proxies with these extensions, unless they
// have it.
func TakeOut(ctx context.Context, namespace, fixture string, extensions []string) {
	GinkgoHelper()
	if needed(extensions) {
		kube.Apply(ctx, namespace, fixture)
	}
}

// needed reports whether an Envoy with these extensions lacks the filter.
func needed(extensions []string) bool { return !slices.Contains(extensions, kindconfig.ExtensionAuthn) }

func withdraw(ctx context.Context, namespace string, proxies []proxy.Proxy) {
	GinkgoHelper()
	Expect(kube.Shared().Client.DeleteAllOf(ctx, &securityv1.RequestAuthentication{}, ctrl.InNamespace(namespace))).To(Succeed())
	for _, held := range proxies {
		Eventually(ctx, stands, timing.Push(), timing.Poll).WithArguments(held).
			Should(BeFalse(), "%s keeps %s without a RequestAuthentication", held, Filter)
	}
}

// stands says whether a proxy has the filter, or its stand-in, anywhere.
func stands(ctx context.Context, held proxy.Proxy) (bool, error) {
	listeners, err := held.Listeners(ctx)
	if err != nil {
		return false, err
	}
	for _, listener := range listeners {
		chains, err := envoy.Chains(listener)
		if err != nil {
			return false, err
		}
		for _, chain := range chains {
			if _, found := envoy.Named(chain.HTTP, Filter); found {
				return true, nil
			}
		}
	}
	return false, nil
}
