package wasmplugin

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

func TestEverySpecNamesItsRow(t *testing.T) {
	count := map[string]int{}
	for _, spec := range ginkgo.PreviewSpecs("wasmplugin").SpecReports {
		row, ok := catalogue.RowOf(spec.Labels())
		if !ok {
			t.Errorf("%q has labels %v: not one row", spec.FullText(), spec.Labels())
		}
		count[row.ID]++
	}
	for _, label := range []string{catalogue.WasmPlugin} {
		if count[catalogue.ID(label)] == 0 {
			t.Errorf("row %s has no spec", catalogue.ID(label))
		}
	}
}
