// Package gatewaydeploy holds the specs of the gateways that istiod deploys by itself, and the
// smoke test of the mesh beside them: injection, mutual TLS, authorization.
package gatewaydeploy

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
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

// deployedIn names every Deployment and Service of a namespace: what istiod made for a Gateway that it
// should have left alone shows, whatever name it gave it.
func deployedIn(namespace string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		client := kube.Shared().Client
		var deployments appsv1.DeploymentList
		if err := client.List(ctx, &deployments, ctrl.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list what is deployed in %s: %w", namespace, err)
		}
		var services corev1.ServiceList
		if err := client.List(ctx, &services, ctrl.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list what is deployed in %s: %w", namespace, err)
		}
		var names []string
		for _, found := range deployments.Items {
			names = append(names, "Deployment "+found.Name)
		}
		for _, found := range services.Items {
			names = append(names, "Service "+found.Name)
		}
		return names, nil
	}
}

// beOnlyThatOf holds for what is deployed if it is what istiod makes for that one Gateway.
func beOnlyThatOf(gateway string) types.GomegaMatcher {
	return HaveExactElements("Deployment "+managedName(gateway), "Service "+managedName(gateway))
}

// awaitManaged waits until istiod has made a Gateway's Deployment and Service, in that order.
func awaitManaged(ctx context.Context, namespace, gateway string) {
	GinkgoHelper()
	Eventually(ctx, service(namespace, gateway), timing.Push, timing.Poll).ShouldNot(BeNil(), "istiod makes no Service for Gateway %s/%s", namespace, gateway)
	Eventually(ctx, deployment(namespace, gateway), timing.Push, timing.Poll).ShouldNot(BeNil(), "istiod makes no Deployment for Gateway %s/%s", namespace, gateway)
}

// awaitProgrammed waits until a Gateway's proxy runs and its status gives one address of that
// kind, which it returns.
func awaitProgrammed(ctx context.Context, namespace, name string, kind gatewayv1.AddressType) string {
	GinkgoHelper()
	// A Gateway that istiod does not deploy at all is told long before a rollout's time is up.
	awaitManaged(ctx, namespace, name)
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
	Expect(client.Get(ctx, apitypes.NamespacedName{Namespace: namespace, Name: name}, object)).To(Succeed())
	before := object.DeepCopyObject().(ctrl.Object)
	alter(object)
	gvk, err := client.GroupVersionKindFor(object)
	Expect(err).NotTo(HaveOccurred())
	patch, kind := ctrl.MergeFrom(before), "merge"
	if clientgoscheme.Scheme.Recognizes(gvk) {
		// Names the one container that changes; a plain merge would repeat the whole list.
		patch, kind = ctrl.StrategicMergeFrom(before), "strategic"
	}
	body, err := patch.Data(object)
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("kubectl patch %s %s -n %s --type=%s -p '%s'", gvk.GroupKind(), name, namespace, kind, body)
	Expect(client.Patch(ctx, object, patch, ctrl.FieldOwner(kube.FieldOwner))).To(Succeed())
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
	gvk, err := client.GroupVersionKindFor(object)
	Expect(err).NotTo(HaveOccurred())
	evidence.Replay("kubectl delete %s %s -n %s", gvk.GroupKind(), name, namespace)
	Expect(client.Delete(ctx, object)).To(Succeed())
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
