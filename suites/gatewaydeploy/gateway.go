// Package gatewaydeploy holds the specs of the gateways that istiod deploys by itself, and the
// smoke test of the mesh beside them: injection, mutual TLS, authorization.
package gatewaydeploy

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/suites/internal/diagnose"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/match"
	"mesh-conformance/suites/internal/proxy"
	"mesh-conformance/suites/internal/timing"
)

// requests is how many requests one measurement makes.
const requests = 20

// What istiod puts on everything that it makes for a Gateway.
const (
	managedLabel = "gateway.istio.io/managed"
	nameLabel    = "istio.io/gateway-name"
)

// managedName is what istiod calls the objects that it makes for a Gateway of class istio.
func managedName(gateway string) string { return gateway + "-istio" }

// gateway, deployment and service read objects for Eventually and Consistently. The latter two
// take the name of the Gateway they were made for.
func gateway(namespace, name string) func(context.Context) (*gatewayv1.Gateway, error) {
	return kube.Getter[gatewayv1.Gateway](namespace, name)
}

func deployment(namespace, gateway string) func(context.Context) (*appsv1.Deployment, error) {
	return kube.Getter[appsv1.Deployment](namespace, managedName(gateway))
}

func service(namespace, gateway string) func(context.Context) (*corev1.Service, error) {
	return kube.Getter[corev1.Service](namespace, managedName(gateway))
}

// deployed tells whether istiod has made a Deployment or a Service for a Gateway.
func deployed(namespace, gateway string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		has, err := kube.Exists[appsv1.Deployment](namespace, managedName(gateway))(ctx)
		if has || err != nil {
			return has, err
		}
		return kube.Exists[corev1.Service](namespace, managedName(gateway))(ctx)
	}
}

// awaitManaged waits until istiod has made a Gateway's Deployment and Service, in that order.
func awaitManaged(ctx context.Context, namespace, gateway string) {
	GinkgoHelper()
	Eventually(ctx, service(namespace, gateway), timing.Push, timing.Poll).ShouldNot(BeNil())
	Eventually(ctx, deployment(namespace, gateway), timing.Push, timing.Poll).ShouldNot(BeNil())
}

// awaitProgrammed waits until a Gateway's proxy runs and its status gives one address of that
// kind, which it returns.
func awaitProgrammed(ctx context.Context, namespace, name string, kind gatewayv1.AddressType) string {
	GinkgoHelper()
	Expect(kube.Shared().WaitAvailable(ctx, namespace, managedName(name))).To(Succeed(), func() string {
		return diagnose.PodsNotReady(ctx, kube.Shared(), namespace)
	})
	var address string
	Eventually(ctx, gateway(namespace, name), timing.Push, timing.Poll).Should(SatisfyAll(
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

// change patches an object of the shared cluster, as a user would with kubectl.
func change[T any, P interface {
	*T
	ctrl.Object
}](ctx context.Context, namespace, name string, alter func(P)) {
	GinkgoHelper()
	client := kube.Shared().Client
	object := P(new(T))
	Expect(client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)).To(Succeed())
	before := object.DeepCopyObject().(ctrl.Object)
	alter(object)
	patch := ctrl.MergeFrom(before)
	body, err := patch.Data(object)
	Expect(err).NotTo(HaveOccurred())
	Expect(client.Patch(ctx, object, patch, ctrl.FieldOwner(kube.FieldOwner))).To(Succeed())

	gvk, err := client.GroupVersionKindFor(object)
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("kubectl patch %s %s -n %s --type=merge -p '%s'", gvk.GroupKind(), name, namespace, body)
}

// remove deletes an object of the shared cluster and returns without waiting for its end.
func remove[T any, P interface {
	*T
	ctrl.Object
}](ctx context.Context, namespace, name string) {
	GinkgoHelper()
	client := kube.Shared().Client
	object := P(new(T))
	object.SetNamespace(namespace)
	object.SetName(name)
	Expect(client.Delete(ctx, object)).To(Succeed())

	gvk, err := client.GroupVersionKindFor(object)
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("kubectl delete %s %s -n %s", gvk.GroupKind(), name, namespace)
}

// proxyOf finds the one proxy of a managed gateway.
func proxyOf(ctx context.Context, namespace, gateway string) (proxy.Proxy, error) {
	client := kube.Shared()
	var pods corev1.PodList
	err := client.Client.List(ctx, &pods, ctrl.InNamespace(namespace), ctrl.MatchingLabels{nameLabel: gateway})
	if err != nil {
		return proxy.Proxy{}, fmt.Errorf("find the proxy of gateway %s/%s: %w", namespace, gateway, err)
	}
	if len(pods.Items) != 1 {
		return proxy.Proxy{}, fmt.Errorf("gateway %s/%s has %d proxies, not one", namespace, gateway, len(pods.Items))
	}
	return proxy.Of(client, namespace, pods.Items[0].Name), nil
}

// madeFor reads what istiod made for a Gateway.
func madeFor(ctx context.Context, namespace, gateway string) (*appsv1.Deployment, *corev1.Service, error) {
	made, err := deployment(namespace, gateway)(ctx)
	if err != nil {
		return nil, nil, err
	}
	exposed, err := service(namespace, gateway)(ctx)
	return made, exposed, err
}
