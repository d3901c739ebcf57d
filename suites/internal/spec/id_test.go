package spec

import (
	"slices"
	"strings"
	"testing"

	"mesh-conformance/suites/internal/catalogue"
)

func TestIDOf(t *testing.T) {
	for name, c := range map[string]struct {
		labels []string
		want   string
	}{
		"an id beside the row":           {[]string{catalogue.Mirroring, "smoke", "mirroring.shares-sidecar"}, "mirroring.shares-sidecar"},
		"a row of two parts is no id":    {[]string{catalogue.GatewayAPIHTTP}, ""},
		"an id below a row of two parts": {[]string{catalogue.GatewayAPIHTTP, "gatewayapi.http.HTTPRouteMatching"}, "gatewayapi.http.HTTPRouteMatching"},
		"no label of a row before it":    {[]string{"other.shares-sidecar"}, ""},
		"two ids":                        {[]string{"mirroring.a", "mirroring.b"}, ""},
		"no label":                       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if id, ok := IDOf(c.labels); id != c.want || ok != (c.want != "") {
				t.Errorf("IDOf(%v) = %q, %t, want %q", c.labels, id, ok, c.want)
			}
		})
	}
}

func TestShown(t *testing.T) {
	labels := []string{catalogue.Mirroring, "mirroring.shares-sidecar", "smoke", "since:1.20", "until:1.22"}
	if got := Shown(labels); !slices.Equal(got, []string{catalogue.Mirroring, "smoke"}) || len(labels) != 5 || labels[2] != "smoke" {
		t.Errorf("Shown = %v and left %v", got, labels)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		row, id, want string
	}{
		"well-formed":                  {catalogue.Mirroring, "mirroring.shares-sidecar", ""},
		"an upstream test's ShortName": {catalogue.GatewayAPIMesh, "gatewayapi.mesh.MeshBasic", ""},
		"no row":                       {"slow", "mirroring.shares-sidecar", "no row"},
		"no id":                        {catalogue.Mirroring, "slow", "no id"},
		"the id of another row":        {catalogue.Mirroring, "upgrade.shares-sidecar", "does not begin with its row mirroring"},
		"upper case":                   {catalogue.Mirroring, "mirroring.Shares", "malformed"},
		"a further dot":                {catalogue.Mirroring, "mirroring.shares.sidecar", "malformed"},
		"two hyphens":                  {catalogue.Mirroring, "mirroring.shares--sidecar", "malformed"},
		"no name":                      {catalogue.Mirroring, "mirroring.", "malformed"},
		"a long name":                  {catalogue.Mirroring, "mirroring." + strings.Repeat("a", LongestName+1), "too long"},
		"a name of ours for upstream":  {catalogue.GatewayAPIMesh, "gatewayapi.mesh.mesh-basic", "ShortName"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check([]string{c.row, c.id})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
