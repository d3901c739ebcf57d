package openshift

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEverySpecNamesItsRow(t *testing.T) {
	count := 0
	for _, spec := range ginkgo.PreviewSpecs("openshift").SpecReports {
		row, ok := catalogue.RowOf(spec.Labels())
		if !ok || row.ID != catalogue.ID(catalogue.OpenShift) {
			t.Errorf("%q has labels %v", spec.FullText(), spec.Labels())
		}
		count++
	}
	if count == 0 {
		t.Error("no spec")
	}
}
