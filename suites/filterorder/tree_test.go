package filterorder

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEverySpecNamesItsRow(t *testing.T) {
	specs := ginkgo.PreviewSpecs("filterorder").SpecReports
	if len(specs) == 0 {
		t.Fatal("there is no spec")
	}
	for _, spec := range specs {
		if row, ok := catalogue.RowOf(spec.Labels()); !ok || row.ID != catalogue.ID(catalogue.FilterOrder) {
			t.Errorf("%q has labels %v", spec.FullText(), spec.Labels())
		}
	}
}
