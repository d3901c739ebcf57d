package mesh

import (
	"slices"
	"testing"

	"mesh-conformance/kindconfig"
)

func TestIstioctlIsGivenChartsOfTheUsersAlone(t *testing.T) {
	apart := []string{"--manifests", "/x/manifests"}
	cell := kindconfig.Cell{Istioctl: "/subject", Charts: "/x/manifests/charts", ChartsApart: true}
	carried := cell
	carried.ChartsApart = false
	installer := &Installer{Cell: &cell}
	for name, c := range map[string]struct {
		cell *kindconfig.Cell
		want []string
	}{
		"the user's charts":          {&cell, apart},
		"charts that istioctl has":   {&carried, nil},
		"the subject as one of many": {installer.Of(Subject(&cell)).Cell, apart},
		"another release":            {installer.Of(kindconfig.Release{Istio: "1.19.0", Istioctl: "/other"}).Cell, nil},
	} {
		if got := manifests(c.cell); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
