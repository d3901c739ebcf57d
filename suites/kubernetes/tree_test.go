package kubernetes

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEverySpecNamesItsRow(t *testing.T) {
	specs := ginkgo.PreviewSpecs("kubernetes").SpecReports
	if len(specs) == 0 {
		t.Error("the row has no spec")
	}
	for _, spec := range specs {
		if row, ok := catalogue.RowOf(spec.Labels()); !ok || row.ID != catalogue.ID(catalogue.Kubernetes) {
			t.Errorf("%q has labels %v: not its row", spec.FullText(), spec.Labels())
		}
	}
}
