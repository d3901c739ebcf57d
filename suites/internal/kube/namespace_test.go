package kube

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"mesh-conformance/fixtures"
)

func fakeClient(t *testing.T, functions interceptor.Funcs, objects ...ctrl.Object) *Client {
	t.Helper()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(gatewayv1.SchemeGroupVersion.WithKind("GatewayClass"), meta.RESTScopeRoot)
	return &Client{Client: fake.NewClientBuilder().WithScheme(fixtures.Scheme()).WithRESTMapper(mapper).
		WithObjects(objects...).WithInterceptorFuncs(functions).Build()}
}

func TestCreateNamespace(t *testing.T) {
	client := fakeClient(t, interceptor.Funcs{})
	first, err := client.CreateNamespace(t.Context(), "smoke", Injected)
	if err != nil {
		t.Fatal(err)
	}
	second, err := client.CreateNamespace(t.Context(), "smoke")
	if err != nil {
		t.Fatal(err)
	}
	if first == second || !strings.HasPrefix(first, "smoke-") {
		t.Errorf("got %s and %s", first, second)
	}
	var labels []map[string]string
	for _, name := range []string{first, second} {
		var namespace corev1.Namespace
		if err := client.Client.Get(t.Context(), ctrl.ObjectKey{Name: name}, &namespace); err != nil {
			t.Fatal(err)
		}
		labels = append(labels, namespace.Labels)
	}
	if labels[0]["istio-injection"] != "enabled" || labels[0][ownerLabel] == "" {
		t.Errorf("labels %v", labels[0])
	}
	if _, injected := labels[1]["istio-injection"]; injected {
		t.Errorf("labels %v", labels[1])
	}
	if _, err := client.CreateNamespace(t.Context(), "smoke", "no-value"); err == nil {
		t.Error("a label without a value was accepted")
	}
}

func TestDeleteNamespaceWaitsUntilItsPodsAreGone(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Finalizers: []string{"example.com/held"}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", Finalizers: []string{"example.com/held"}}}
	other := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "pod"}}
	looks := 0
	client := fakeClient(t, interceptor.Funcs{
		List: func(ctx context.Context, c ctrl.WithWatch, list ctrl.ObjectList, options ...ctrl.ListOption) error {
			if looks++; looks == 3 {
				var held corev1.Pod
				if err := c.Get(ctx, ctrl.ObjectKeyFromObject(pod), &held); err != nil {
					return err
				}
				held.Finalizers = nil
				if err := c.Update(ctx, &held); err != nil {
					return err
				}
			}
			return c.List(ctx, list, options...)
		},
	}, namespace, pod, other)
	if err := client.DeleteNamespace(t.Context(), "ns"); err != nil {
		t.Fatal(err)
	}
	if looks < 3 {
		t.Errorf("gone after %d looks", looks)
	}
	var still corev1.Namespace
	if err := client.Client.Get(t.Context(), ctrl.ObjectKeyFromObject(namespace), &still); err != nil || still.DeletionTimestamp == nil {
		t.Errorf("the namespace is not on its way out: %v", err)
	}
	if err := client.Client.Get(t.Context(), ctrl.ObjectKeyFromObject(other), &corev1.Pod{}); err != nil {
		t.Errorf("the pod of another namespace: %v", err)
	}
}

func TestWaitGoneWaitsForANamespace(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Finalizers: []string{"example.com/held"}}}
	looks := 0
	client := fakeClient(t, interceptor.Funcs{
		Get: func(ctx context.Context, c ctrl.WithWatch, key ctrl.ObjectKey, object ctrl.Object, options ...ctrl.GetOption) error {
			if looks++; looks == 3 {
				var held corev1.Namespace
				if err := c.Get(ctx, key, &held); err != nil {
					return err
				}
				held.Finalizers = nil
				if err := c.Update(ctx, &held); err != nil {
					return err
				}
			}
			return c.Get(ctx, key, object, options...)
		},
	}, namespace)
	if err := client.DeleteNamespace(t.Context(), "ns"); err != nil {
		t.Fatal(err)
	}
	if err := client.WaitGone(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if looks != 3 {
		t.Errorf("gone after %d looks", looks)
	}
	if err := client.DeleteNamespace(t.Context(), "ns"); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func TestWaitGoneSaysWhatHoldsANamespace(t *testing.T) {
	namespace := &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "ns"},
		Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{
			{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "pods. has 1 resource instances"},
			{Type: corev1.NamespaceDeletionDiscoveryFailure, Status: corev1.ConditionFalse, Message: "all discovered"},
		}},
	}
	client := fakeClient(t, interceptor.Funcs{}, namespace)
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	err := client.WaitGone(ctx, namespace.DeepCopy())
	if err == nil {
		t.Fatal("the namespace is there, yet the wait ended well")
	}
	if !strings.Contains(err.Error(), "pods. has 1 resource instances") || strings.Contains(err.Error(), "all discovered") {
		t.Errorf("got %v", err)
	}
}

func TestWaitGoneTellsTroubleFromAbsence(t *testing.T) {
	refuse := func(err error, times int) interceptor.Funcs {
		return interceptor.Funcs{Get: func(ctx context.Context, c ctrl.WithWatch, key ctrl.ObjectKey, object ctrl.Object, options ...ctrl.GetOption) error {
			if times--; times >= 0 {
				return err
			}
			return c.Get(ctx, key, object, options...)
		}}
	}
	busy := apierrors.NewTooManyRequests("busy", 1)
	if err := fakeClient(t, refuse(busy, 2)).WaitGone(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}}); err != nil {
		t.Errorf("a busy server was taken for more than that: %v", err)
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "pod", nil)
	err := fakeClient(t, refuse(forbidden, 1)).WaitGone(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}})
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}

func TestNamespacesOfSpec(t *testing.T) {
	remember("a")
	remember("b")
	got := NamespacesOfSpec()
	got[0] = "changed"
	if got := NamespacesOfSpec(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
	forget("a")
	forget("never there")
	if got := NamespacesOfSpec(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("got %v", got)
	}
	forget("b")
	if got := NamespacesOfSpec(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func objectMeta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }
