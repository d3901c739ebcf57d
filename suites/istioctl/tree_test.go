package istioctl

import (
	"strings"
	"testing"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/catalogue/rowtest"
)

func TestEverySpecNamesItsRow(t *testing.T) { rowtest.Check(t, catalogue.Istioctl) }

func TestRowOf(t *testing.T) {
	table := "NAME    CDS\na.ns   SYNCED   x\nab.ns  STALE\n\n"
	for first, want := range map[string]string{"a.ns": "a.ns SYNCED x", "ab.ns": "ab.ns STALE", "b.ns": ""} {
		if got := rowOf(table, first); got != want {
			t.Errorf("%s: got %q, want %q", first, got, want)
		}
	}
}

func TestForwarded(t *testing.T) {
	log := `POST https://127.0.0.1:1/api/v1/namespaces/istio-system/pods/istiod-a-1/portforward 101 Switching Protocols in 3 milliseconds
GET https://127.0.0.1:1/api/v1/namespaces/istio-system/pods?labelSelector=app%3Distiod 200 OK
POST https://127.0.0.1:1/api/v1/namespaces/istio-system/pods/istiod-a-1/portforward 101 Switching Protocols
POST https://127.0.0.1:1/api/v1/namespaces/istio-system/pods/istiod-b-2/portforward 101 Switching Protocols`
	if got := strings.Join(forwarded(log), " "); got != "istiod-a-1 istiod-b-2" {
		t.Errorf("got %q", got)
	}
	if got := forwarded("Error: connection refused"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestEchoed(t *testing.T) {
	page := "ServiceVersion=\nServicePort=15999\nHostname=ztunnel-1\n"
	for key, want := range map[string]string{"ServicePort": "15999", "Hostname": "ztunnel-1", "Port": "", "ServiceVersion": ""} {
		if got := echoed(page, key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	before := map[string]string{"http": "info", "admin": "info", "old": "info"}
	if got := changed(before, before); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	got := strings.Join(changed(before, map[string]string{"http": "error", "admin": "info", "new": "info"}), "; ")
	if got != `http: "info", now "error"; new: "", now "info"; old: "info", now gone` {
		t.Error(got)
	}
	if some := among(before, map[string]string{"http": "x", "nobody": "x"}); len(some) != 2 || some["http"] != "info" || some["nobody"] != "" {
		t.Errorf("got %v", some)
	}
}

func TestLevelsOf(t *testing.T) {
	levels := levelsOf("active loggers:\n  admin: info\n  http: error\n\n")
	if len(levels) != 2 || levels["admin"] != "info" || levels["http"] != "error" {
		t.Errorf("got %v", levels)
	}
	if levels := levelsOf("error: unknown logger name"); len(levels) != 0 {
		t.Errorf("got %v", levels)
	}
}

func TestListsOfConfigMaps(t *testing.T) {
	for line, want := range map[string]string{
		"GET https://127.0.0.1:1/api/v1/configmaps?limit=500&resourceVersion=0 200 OK in 1 milliseconds":                   "/api/v1/configmaps",
		"GET https://127.0.0.1:1/api/v1/namespaces/istio-system/configmaps?limit=500&resourceVersion=0 200 OK":             "/api/v1/namespaces/istio-system/configmaps",
		"GET https://127.0.0.1:1/api/v1/namespaces/istio-system/configmaps/istio 200 OK in 1 milliseconds":                 "",
		"GET https://127.0.0.1:1/api/v1/configmaps?allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=9&watch=true": "",
		"GET https://127.0.0.1:1/api/v1/pods?limit=500":                                                                    "",
	} {
		got := ""
		if paths := listsOfConfigMaps("first\n" + line + "\nlast"); len(paths) > 0 {
			got = paths[0]
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}
