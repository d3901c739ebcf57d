package startupprobe

import (
	"strings"
	"testing"
)

func TestInjection(t *testing.T) {
	const (
		injector = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio-sidecar-injector}\ndata: {config: c, values: v}\n---\n"
		istio    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: m}\n---\n"
		other    = "apiVersion: v1\nkind: Secret\nmetadata: {name: istio}\n---\n"
	)
	held, err := injection([]byte(other + injector + istio))
	if err != nil || held["config"] != "c" || held["values"] != "v" || held["mesh"] != "m" {
		t.Errorf("got %v, %v", held, err)
	}
	for name, manifest := range map[string]string{
		"istio with mesh": injector + other, "istio-sidecar-injector with config": istio,
		"istio-sidecar-injector with values": istio + strings.Replace(injector, ", values: v", "", 1),
	} {
		if _, err := injection([]byte(manifest)); err == nil || !strings.HasSuffix(err.Error(), name) {
			t.Errorf("got %v, want an error about %s", err, name)
		}
	}
}
