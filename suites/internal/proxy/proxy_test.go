package proxy

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/xds/envoy"
)

// recorded answers with files of testdata: what an Envoy 1.40.0 said whose listeners,
// clusters, routes and secrets were discovered, and one listener of which, "refused", holds a
// filter of Istio's. The lists of its extensions are shortened.
type recorded map[string]string

var one = recorded{
	"/server_info":                                  "server_info.json",
	"/config_dump?include_eds":                      "config_dump.json",
	"/config_dump?resource=dynamic_listeners":       "dynamic_listeners.json",
	"/config_dump?resource=dynamic_route_configs":   "dynamic_route_configs.json",
	"/config_dump?resource=static_route_configs":    "static_route_configs.json",
	"/config_dump?resource=dynamic_active_clusters": "dynamic_active_clusters.json",
	"/config_dump?resource=dynamic_active_secrets":  "dynamic_active_secrets.json",
	"/clusters?format=json":                         "clusters.json",
	"/stats?filter=%5C.update_rejected%24":          "update_rejected.txt",
}

func (r recorded) PodGet(_ context.Context, _, _ string, _ int, path string) ([]byte, error) {
	file, ok := r[path]
	if !ok {
		return nil, &kube.StatusError{Code: http.StatusNotFound, Head: path + " not found in config dump"}
	}
	return os.ReadFile(filepath.Join("testdata", file))
}

func (r recorded) proxy() Proxy { return Proxy{Namespace: "ns", Pod: "a", cluster: r} }

func TestVersionAndExtensions(t *testing.T) {
	version, err := one.proxy().Version(t.Context())
	if err != nil || version != "1.40.0" {
		t.Errorf("version = %q, %v", version, err)
	}
	extensions, err := one.proxy().Extensions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"envoy.filters.http.lua":                         true,
		"envoy.extensions.filters.http.router.v3.Router": true,
		"istio.stats": false,
	} {
		if got := extensions.Has(name); got != want {
			t.Errorf("Has(%s) = %v", name, got)
		}
	}
}

func TestExtensionsComeFromTheBootstrapToo(t *testing.T) {
	bare := recorded{"/server_info": "bare_server_info.json", "/config_dump?include_eds": "config_dump.json"}
	extensions, err := bare.proxy().Extensions(t.Context())
	if err != nil || !extensions.Has("envoy.filters.http.lua") {
		t.Errorf("extensions = %v, %v", extensions, err)
	}
	neither := recorded{"/server_info": "bare_server_info.json", "/config_dump?include_eds": "static_route_configs.json"}
	if _, err := neither.proxy().Extensions(t.Context()); err == nil {
		t.Error("no error for a proxy without any extension")
	}
}

func TestListeners(t *testing.T) {
	listeners, err := one.proxy().Listeners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(listeners) != 1 || listeners[0].GetName() != "virtualInbound" {
		t.Fatalf("listeners = %v; the refused one is not in use", listeners)
	}
	network, err := one.proxy().FilterChains(t.Context(), "virtualInbound")
	want := [][]string{{"envoy.filters.network.http_connection_manager"}, {"envoy.filters.network.tcp_proxy"}}
	if err != nil || !reflect.DeepEqual(network, want) {
		t.Errorf("filter chains = %v, %v", network, err)
	}
	http, err := one.proxy().HTTPFilters(t.Context(), "virtualInbound")
	if want := [][]string{{"istio_authn", "envoy.filters.http.router"}}; err != nil || !reflect.DeepEqual(http, want) {
		t.Errorf("HTTP filters = %v, %v", http, err)
	}
	chains, err := one.proxy().Chains(t.Context(), "virtualInbound")
	if err != nil || !slices.Equal(chains[0].ALPN, []string{"h2", "http/1.1"}) {
		t.Errorf("chains = %v, %v", chains, err)
	}
	// The Lua filter's message is not linked into this binary.
	if got := chains[0].HTTP[0].Type; got != "envoy.extensions.filters.http.lua.v3.Lua" {
		t.Errorf("type of an unknown extension = %q", got)
	}
	if _, err := one.proxy().Chains(t.Context(), "gone"); err == nil || !strings.Contains(err.Error(), `["virtualInbound"]`) {
		t.Errorf("err = %v", err)
	}
}

func TestRoutesClustersEndpoints(t *testing.T) {
	host, err := one.proxy().VirtualHost(t.Context(), "b.ns")
	if err != nil {
		t.Fatal(err)
	}
	const cluster = "outbound|80||b.ns.svc.cluster.local"
	want := []envoy.Mirror{{Cluster: cluster, Parts: 500_000, Of: 1_000_000}}
	if got := envoy.Mirrors(host.GetRoutes()[0]); !reflect.DeepEqual(got, want) {
		t.Errorf("mirrors = %v", got)
	}
	if host, err := one.proxy().VirtualHost(t.Context(), "c.ns"); host != nil || err != nil {
		t.Errorf("unknown domain: %v, %v", host, err)
	}
	clusters, err := one.proxy().Clusters(t.Context())
	if err != nil || len(clusters) != 1 || clusters[0].GetName() != cluster {
		t.Errorf("clusters = %v, %v", clusters, err)
	}
	endpoints, err := one.proxy().EndpointsOf(t.Context(), cluster)
	if err != nil || !reflect.DeepEqual(endpoints, []Endpoint{{"127.0.0.1:1", true}, {"127.0.0.2:1", false}}) {
		t.Errorf("endpoints = %v, %v", endpoints, err)
	}
	if _, err := one.proxy().EndpointsOf(t.Context(), "gone"); err == nil {
		t.Error("no error for an unknown cluster")
	}
}

func TestSectionsThatEnvoyDoesNotHave(t *testing.T) {
	if routes, err := (recorded{}).proxy().Routes(t.Context()); err != nil || len(routes) != 0 {
		t.Errorf("routes = %v, %v", routes, err)
	}
	if _, err := (recorded{}).proxy().Version(t.Context()); err == nil {
		t.Error("a missing server info is no empty answer")
	}
}

func TestSecrets(t *testing.T) {
	roots, err := one.proxy().Roots(t.Context())
	if err != nil || len(roots) != 2 {
		t.Errorf("roots = %d, %v", len(roots), err)
	}
	leaf, err := one.proxy().Leaf(t.Context())
	if err != nil || leaf.SerialNumber.Int64() != 4242 {
		t.Errorf("leaf = %v, %v", leaf, err)
	}
	if _, err := (recorded{"/config_dump?resource=dynamic_active_secrets": "static_route_configs.json"}).proxy().Leaf(t.Context()); err == nil {
		t.Error("no error without secrets")
	}
}

func TestInline(t *testing.T) {
	text := &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "a"}}
	bytes := &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("b")}}
	if string(inline(text)) != "a" || string(inline(bytes)) != "b" || inline(nil) != nil {
		t.Errorf("inline = %q, %q, %q", inline(text), inline(bytes), inline(nil))
	}
}

func TestRejected(t *testing.T) {
	rejected, err := one.proxy().Rejected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rejected.Counters) != 5 {
		t.Errorf("counters = %v", rejected.Counters)
	}
	want := []string{
		"listener_manager.lds.update_rejected: 1",
		"ListenersConfigDump: Didn't find a registered implementation for 'istio.stats' with type URL: 'stats.PluginConfig'",
	}
	if got := rejected.Lines(); !slices.Equal(got, want) {
		t.Errorf("lines = %q", got)
	}
	clean := Rejected{Counters: map[string]int64{"cluster_manager.cds.update_rejected": 0}}
	if got := clean.Lines(); len(got) != 0 {
		t.Errorf("lines of a clean proxy = %q", got)
	}
}

func TestParseStats(t *testing.T) {
	got := ParseStats("cluster.10.0.0.1:80.total: 7\nserver.live: 1\nhist: P0(1,1) P25(2,2)\nversion: \"a\"\n\n")
	if want := map[string]int64{"cluster.10.0.0.1:80.total": 7, "server.live": 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("stats = %v", got)
	}
}

func TestStatsRefusesABadExpression(t *testing.T) {
	if _, err := one.proxy().Stats(t.Context(), "("); err == nil {
		t.Error("no error")
	}
}

func TestDumpPath(t *testing.T) {
	cases := map[string]struct {
		resource string
		mask     []string
	}{
		"/config_dump?include_eds":                           {"", nil},
		"/config_dump?mask=a%2Cb&resource=dynamic_listeners": {"dynamic_listeners", []string{"a", "b"}},
	}
	for want, c := range cases {
		if got := dumpPath(c.resource, c.mask); got != want {
			t.Errorf("dumpPath(%q, %q) = %s, want %s", c.resource, c.mask, got, want)
		}
	}
}

func TestIn(t *testing.T) {
	pod := func(name string, native bool, state corev1.ContainerState) *corev1.Pod {
		status := []corev1.ContainerStatus{{Name: "istio-proxy", State: state}}
		made := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}}
		if native {
			made.Status.InitContainerStatuses = status
		} else {
			made.Status.ContainerStatuses = status
		}
		return made
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	deleted := pod("deleted", false, running)
	now := metav1.Now()
	deleted.DeletionTimestamp, deleted.Finalizers = &now, []string{"x/y"}
	client := &kube.Client{Clientset: fake.NewClientset(
		pod("sidecar", false, running), pod("native", true, running),
		pod("waiting", false, corev1.ContainerState{}), deleted,
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "plain", Namespace: "ns"}},
	)}
	proxies, err := In(t.Context(), client, "ns")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range proxies {
		names = append(names, p.String())
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"native.ns", "sidecar.ns"}) {
		t.Errorf("proxies = %v", names)
	}
}
