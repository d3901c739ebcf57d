package mirroring

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEverySpecNamesItsRow(t *testing.T) {
	specs := ginkgo.PreviewSpecs("mirroring").SpecReports
	if len(specs) == 0 {
		t.Fatal("no spec")
	}
	leaves := map[string]bool{}
	for _, spec := range specs {
		if row, ok := catalogue.RowOf(spec.Labels()); !ok || row.ID != catalogue.ID(catalogue.Mirroring) {
			t.Errorf("%q has labels %v: not the row's", spec.FullText(), spec.Labels())
		}
		// Reports name a spec by row and leaf.
		if leaves[spec.LeafNodeText] {
			t.Errorf("two specs are called %q", spec.LeafNodeText)
		}
		leaves[spec.LeafNodeText] = true
	}
}
