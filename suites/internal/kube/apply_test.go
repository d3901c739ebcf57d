package kube

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"mesh-conformance/fixtures"
)

const twoScopes = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: foreign}
spec: {controllerName: example.com/another}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: injected}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: elsewhere, namespace: other}
`

func decode(t *testing.T, content string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := fixtures.Decode("x.yaml", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestApplyObjects(t *testing.T) {
	var owners []string
	client := fakeClient(t, interceptor.Funcs{
		Apply: func(ctx context.Context, c ctrl.WithWatch, object runtime.ApplyConfiguration, options ...ctrl.ApplyOption) error {
			owners = append(owners, (&ctrl.ApplyOptions{}).ApplyOptions(options).FieldManager)
			return c.Apply(ctx, object, options...)
		},
	})
	for range 2 { // applying again changes nothing
		clusterWide, err := client.ApplyObjects(t.Context(), "ns", decode(t, twoScopes))
		if err != nil {
			t.Fatal(err)
		}
		if len(clusterWide) != 1 || clusterWide[0].GetName() != "foreign" || clusterWide[0].GetNamespace() != "" {
			t.Errorf("outside of namespaces: %v", clusterWide)
		}
	}
	for _, key := range []ctrl.ObjectKey{{Namespace: "ns", Name: "injected"}, {Namespace: "other", Name: "elsewhere"}} {
		var found corev1.ConfigMap
		if err := client.Client.Get(t.Context(), key, &found); err != nil {
			t.Error(err)
		}
	}
	if owners = slices.Compact(owners); len(owners) != 1 || owners[0] != FieldOwner {
		t.Errorf("applied as %v", owners)
	}
}

func TestApplyObjectsNamesWhatIsRefused(t *testing.T) {
	calls := 0
	client := fakeClient(t, interceptor.Funcs{
		Apply: func(ctx context.Context, c ctrl.WithWatch, object runtime.ApplyConfiguration, options ...ctrl.ApplyOption) error {
			if calls++; calls == 2 {
				return errors.New("field not declared in schema")
			}
			return c.Apply(ctx, object, options...)
		},
	})
	clusterWide, err := client.ApplyObjects(t.Context(), "ns", decode(t, twoScopes))
	if err == nil || !strings.Contains(err.Error(), "ConfigMap injected: field not declared") {
		t.Errorf("got %v", err)
	}
	if len(clusterWide) != 1 {
		t.Errorf("what was made before the refusal is lost to the cleanup: %v", clusterWide)
	}
}

func TestApplyCommand(t *testing.T) {
	got := applyCommand("ns-1", "echo/client.yaml")
	want := "kubectl apply --server-side --validate=strict --field-manager=mesh-conformance -n ns-1 -f fixtures/echo/client.yaml"
	if got != want {
		t.Errorf("got %q", got)
	}
}

func TestGetterAndExists(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "secret", nil)
	Use(fakeClient(t, interceptor.Funcs{
		Get: func(ctx context.Context, c ctrl.WithWatch, key ctrl.ObjectKey, object ctrl.Object, options ...ctrl.GetOption) error {
			if key.Name == "secret" {
				return forbidden
			}
			return c.Get(ctx, key, object, options...)
		},
	}, &corev1.ConfigMap{ObjectMeta: objectMeta("there")}))
	t.Cleanup(func() { Use(nil) })

	found, err := Getter[corev1.ConfigMap]("ns", "there")(t.Context())
	if err != nil || found.Name != "there" {
		t.Errorf("got %v, %v", found, err)
	}
	if _, err := Getter[corev1.ConfigMap]("ns", "absent")(t.Context()); !apierrors.IsNotFound(err) {
		t.Errorf("absence is waited through as what it is, got %v", err)
	}
	var stop gomega.PollingSignalError
	if _, err := Getter[corev1.ConfigMap]("ns", "secret")(t.Context()); !errors.As(err, &stop) {
		t.Errorf("a refusal does not stop the waiting: %v", err)
	}

	for name, want := range map[string]bool{"there": true, "absent": false} {
		if got, err := Exists[corev1.ConfigMap]("ns", name)(t.Context()); err != nil || got != want {
			t.Errorf("Exists(%s) = %v, %v", name, got, err)
		}
	}
	if _, err := Exists[corev1.ConfigMap]("ns", "secret")(t.Context()); err == nil {
		t.Error("a refusal is neither presence nor absence")
	}
}
