package istioctl

import (
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
