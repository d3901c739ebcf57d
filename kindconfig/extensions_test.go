package kindconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recordedExtensions reads a list of testdata.
func recordedExtensions(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "extensions-"+name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		if !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

func TestFlavourFollowsFromTheExtensions(t *testing.T) {
	upstream, istio := recordedExtensions(t, "upstream"), recordedExtensions(t, "istio-1.20.0")
	for name, c := range map[string]struct {
		extensions []string
		want       string
	}{
		"upstream":         {upstream, FlavourUpstream},
		"Istio's own":      {istio, FlavourIstio},
		"one of Istio's":   {append(slices.Clone(upstream), ExtensionALPN), FlavourIstio},
		"nothing was read": {nil, FlavourUpstream},
	} {
		if got := FlavourOf(c.extensions); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for _, own := range IstioExtensions() {
		if !slices.Contains(istio, own) || slices.Contains(upstream, own) {
			t.Errorf("%s must be in the list of Istio's proxy and not in upstream's", own)
		}
	}
}

func TestCellLearnsItsProxies(t *testing.T) {
	pinned := Cell{Istio: "1.20.0", ProxyFlavour: FlavourIstio, ProxyVersion: "1.20.0"}
	cell := pinned
	cell.LearnProxies(Proxies{})
	if !reflect.DeepEqual(cell, pinned) {
		t.Errorf("facts that were not read changed the cell to %+v", cell)
	}
	cell.LearnProxies(Proxies{
		Subject: ProxyFacts{Version: "1.40.0", Extensions: []string{"envoy.filters.http.lua"}},
		Before:  ProxyFacts{Version: "1.27.0", Extensions: []string{"b"}}, After: ProxyFacts{Version: "1.28.0", Extensions: []string{"a"}},
	})
	want := Cell{
		Istio: "1.20.0", ProxyFlavour: FlavourUpstream, ProxyVersion: "1.40.0", ProxyExtensions: []string{"envoy.filters.http.lua"},
		BeforeExtensions: []string{"b"}, AfterExtensions: []string{"a"},
	}
	if !reflect.DeepEqual(cell, want) {
		t.Errorf("got %+v, want %+v", cell, want)
	}
	if !reflect.DeepEqual(cell.Unread(), pinned.Unread()) || cell.ProxyVersion != "1.40.0" {
		t.Errorf("what was read stays in %+v", cell.Unread())
	}
}
