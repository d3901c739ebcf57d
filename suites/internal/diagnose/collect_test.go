package diagnose

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"mesh-conformance/suites/internal/kube"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func runningPod(namespace, name, container string, restarts int32) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: container, Ready: true, RestartCount: restarts,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began)}},
			}},
		},
	}
}

func object(kind, name string, content map[string]any) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: content}
	made.SetAPIVersion("v1")
	made.SetKind(kind)
	made.SetNamespace("ns")
	made.SetName(name)
	return made
}

// newTestCollector collects from a namespace "ns" with one sidecar pod, a Secret and a ConfigMap.
func newTestCollector(t *testing.T) (*collector, *fake.Clientset) {
	istiod := runningPod("istio-system", "istiod-1", "discovery", 1)
	istiod.Labels = map[string]string{"app": "istiod"}
	kubeProxy := runningPod("kube-system", "kube-proxy-1", "kube-proxy", 0)
	kubeProxy.Labels = map[string]string{"k8s-app": "kube-proxy"}
	coreDNS := runningPod("kube-system", "coredns-1", "coredns", 0)
	coreDNS.Labels = map[string]string{"k8s-app": "kube-dns"}
	clientset := fake.NewClientset(
		runningPod("ns", "app", "istio-proxy", 1), istiod, kubeProxy, coreDNS,
		&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "e"}, Type: "Warning", Reason: "Unhealthy",
			Message: "probe failed", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "app"},
		},
	)
	secret := object("Secret", "s", map[string]any{"data": map[string]any{"tls.key": "aHVzaCBodXNo"}})
	secret.SetAnnotations(map[string]string{lastApplied: `{"data":{"tls.key":"aHVzaCBodXNo"}}`})
	secret.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl"}})
	return &collector{
		client: &kube.Client{Clientset: clientset},
		dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
			{Version: "v1", Resource: "secrets"}: "SecretList", {Version: "v1", Resource: "configmaps"}: "ConfigMapList",
			{Version: "v1", Resource: "services"}: "ServiceList",
		}, secret, object("ConfigMap", "c", map[string]any{"data": map[string]any{"key": "shown"}})),
		kinds: func(context.Context) ([]*metav1.APIResourceList, error) {
			list := metav1.Verbs{"list"}
			return []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
				{Name: "secrets", Verbs: list}, {Name: "configmaps", Verbs: list}, {Name: "services", Verbs: list},
				{Name: "events", Verbs: list}, {Name: "bindings", Verbs: metav1.Verbs{"create"}},
			}}}, nil
		},
		admin: func(_ context.Context, namespace, pod, path string) ([]byte, error) {
			return []byte(namespace + "/" + pod + path), nil
		},
		dir: filepath.Join(t.TempDir(), "gatewayapi.http.Simple"),
	}, clientset
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCollect(t *testing.T) {
	c, _ := newTestCollector(t)
	if err := c.collect(t.Context(), "spec x", []string{"ns", "ns"}, began); err != nil {
		t.Fatal(err)
	}
	if filepath.Base(c.dir) != "gatewayapi.http.Simple" {
		t.Errorf("folder = %s", c.dir)
	}
	found := files(t, c.dir)
	want := []string{
		"coredns/coredns-1.log",
		"istio-system/logs/istiod-1.discovery.previous.log",
		"istiod/istiod-1.log",
		"kube-proxy/kube-proxy-1.log",
		"ns/events.txt",
		"ns/logs/app.istio-proxy.log", "ns/logs/app.istio-proxy.previous.log",
		"ns/objects/configmaps.yaml", "ns/objects/secrets.yaml",
		"ns/proxies/app.clusters.txt", "ns/proxies/app.config_dump.json", "ns/proxies/app.stats.txt",
		"summary.txt",
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("files = %q\nwant  %q", names, want)
	}
	if got := found["ns/proxies/app.clusters.txt"]; got != "ns/app/clusters" {
		t.Errorf("clusters = %q", got)
	}
	secret := found["ns/objects/secrets.yaml"]
	if strings.Contains(secret, "aHVzaCBodXNo") || !strings.Contains(secret, "tls.key: '[redacted, 9 bytes]'") || strings.Contains(secret, "managedFields") {
		t.Errorf("secret = %s", secret)
	}
	if !strings.Contains(found["ns/objects/configmaps.yaml"], "key: shown") {
		t.Errorf("config map = %s", found["ns/objects/configmaps.yaml"])
	}
	if summary := found[SummaryFile]; !strings.Contains(summary, "complete") || !strings.Contains(summary, "restarts 1") {
		t.Errorf("summary = %s", summary)
	}
}

func TestCollectNotesWhatItCannotHave(t *testing.T) {
	c, clientset := newTestCollector(t)
	c.admin = func(context.Context, string, string, string) ([]byte, error) {
		return nil, errors.New("connection\nrefused")
	}
	c.kinds = func(context.Context) ([]*metav1.APIResourceList, error) { return nil, errors.New("webhook down") }
	clientset.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no events today")
	})
	if err := c.collect(t.Context(), "spec x", []string{"ns"}, began); err != nil {
		t.Fatal(err)
	}
	found := files(t, c.dir)
	for _, want := range []string{
		"5 things could not be collected", "ns/proxies/app.clusters.txt: connection refused",
		"some kinds of objects: webhook down", "events of ns: no events today",
	} {
		if !strings.Contains(found[SummaryFile], want) {
			t.Errorf("the summary lacks %q:\n%s", want, found[SummaryFile])
		}
	}
	if _, ok := found["ns/logs/app.istio-proxy.log"]; !ok {
		t.Error("what could be collected is missing")
	}
}

func TestCollectEndsWithItsContext(t *testing.T) {
	c, _ := newTestCollector(t)
	c.admin = func(ctx context.Context, _, _, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	c.kinds = func(ctx context.Context) ([]*metav1.APIResourceList, error) { <-ctx.Done(); return nil, ctx.Err() }
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.collect(ctx, "spec x", []string{"ns"}, began); err != nil {
		t.Fatal(err)
	}
	if summary := files(t, c.dir)[SummaryFile]; !strings.Contains(summary, "deadline exceeded") {
		t.Errorf("summary = %s", summary)
	}
}

func TestCollectIntoAnUnwritableFolder(t *testing.T) {
	c, _ := newTestCollector(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.dir = filepath.Join(file, "x")
	if err := c.collect(t.Context(), "spec x", nil, began); err == nil {
		t.Error("no error")
	}
}
