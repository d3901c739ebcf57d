// Package gateway waits for the gateways that istiod deploys by itself and finds what it made for them.
package gateway

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
)

// ManagedLabel is what istiod puts on everything that it makes for a Gateway.
const ManagedLabel = "gateway.istio.io/managed"

// ManagedName is what istiod calls the objects that it makes for a Gateway of class istio.
func ManagedName(gateway string) string { return gateway + "-istio" }

// Get, Deployment and Service read objects for Eventually and Consistently. The latter two take the
// name of the Gateway they were made for.
func Get(namespace, name string) func(context.Context) (*gatewayv1.Gateway, error) {
	return kube.Getter[gatewayv1.Gateway](namespace, name)
}

// Deployment of the proxy of a Gateway.
func Deployment(namespace, gateway string) func(context.Context) (*appsv1.Deployment, error) {
	return kube.Getter[appsv1.Deployment](namespace, ManagedName(gateway))
}

// Service of the proxy of a Gateway.
func Service(namespace, gateway string) func(context.Context) (*corev1.Service, error) {
	return kube.Getter[corev1.Service](namespace, ManagedName(gateway))
}

// AwaitManaged waits until istiod has made a Gateway's Deployment and Service, in that order.
func AwaitManaged(ctx context.Context, namespace, gateway string) {
	GinkgoHelper()
	Eventually(ctx, Service(namespace, gateway), timing.Push(), timing.Poll).ShouldNot(BeNil(), "istiod makes no Service for Gateway %s/%s", namespace, gateway)
	Eventually(ctx, Deployment(namespace, gateway), timing.Push(), timing.Poll).ShouldNot(BeNil(), "istiod makes no Deployment for Gateway %s/%s", namespace, gateway)
}

// AwaitProgrammed waits until a Gateway's proxy runs and its status gives one address of that
// kind, which it returns.
func AwaitProgrammed(ctx context.Context, namespace, name string, kind gatewayv1.AddressType) string {
	GinkgoHelper()
	// A Gateway that istiod does not deploy at all is told long before a rollout's time is up.
	AwaitManaged(ctx, namespace, name)
	Expect(kube.Shared().WaitAvailable(ctx, namespace, ManagedName(name))).To(Succeed(), func() string {
		return diagnose.PodsNotReady(ctx, kube.Shared(), namespace)
	})
	var address string
	Eventually(ctx, Get(namespace, name), timing.Push(), timing.Poll).Should(SatisfyAll(
		match.HaveCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue, gatewayv1.GatewayReasonAccepted),
		match.HaveCondition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionTrue, gatewayv1.GatewayReasonProgrammed),
		match.HaveAddress(kind),
		WithTransform(func(found *gatewayv1.Gateway) string {
			address = found.Status.Addresses[0].Value
			return address
		}, Not(BeEmpty())),
	))
	return address
}

// ProxyOf finds the one proxy of a managed gateway.
func ProxyOf(ctx context.Context, namespace, gateway string) (proxy.Proxy, error) {
	client := kube.Shared()
	var pods corev1.PodList
	err := client.Client.List(ctx, &pods, ctrl.InNamespace(namespace), ctrl.MatchingLabels{NameLabel(): gateway})
	if err != nil {
		return proxy.Proxy{}, fmt.Errorf("find the proxy of gateway %s/%s: %w", namespace, gateway, err)
	}
	if len(pods.Items) != 1 {
		return proxy.Proxy{}, fmt.Errorf("gateway %s/%s has %d proxies, not one", namespace, gateway, len(pods.Items))
	}
	return proxy.Of(client, namespace, pods.Items[0].Name), nil
}
