package upgrade

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

// Both leaps run the same steps: reports tell specs apart by the row and the last part of the name.
func TestEverySpecNamesItsRowAndIsToldApart(t *testing.T) {
	specs := ginkgo.PreviewSpecs("upgrade").SpecReports
	if len(specs) == 0 {
		t.Fatal("no spec")
	}
	leaves := map[string]bool{}
	for _, spec := range specs {
		if row, ok := catalogue.RowOf(spec.Labels()); !ok || row.ID != catalogue.ID(catalogue.Upgrade) {
			t.Errorf("%q has labels %v: not the row's", spec.FullText(), spec.Labels())
		}
		if leaves[spec.LeafNodeText] {
			t.Errorf("two specs end with %q", spec.LeafNodeText)
		}
		leaves[spec.LeafNodeText] = true
	}
}
