// Package rowtest checks, without a cluster, that the specs of a feature belong to its row.
package rowtest

import (
	"testing"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

// Check reports specs of this test binary that do not name the row of a label, and only that one. It is an
// error if there is no spec.
func Check(t *testing.T, label string) []ginkgo.SpecReport {
	t.Helper()
	specs := ginkgo.PreviewSpecs(label).SpecReports
	if len(specs) == 0 {
		t.Fatal("the row has no spec")
	}
	for _, spec := range specs {
		if row, ok := catalogue.RowOf(spec.Labels()); !ok || row.ID != catalogue.ID(label) {
			t.Errorf("%q has labels %v: not those of row %s", spec.FullText(), spec.Labels(), catalogue.ID(label))
		}
	}
	return specs
}

// CheckLeaves is Check for a row whose specs differ in the last part of their names already: reports tell
// specs apart by the row and that part.
func CheckLeaves(t *testing.T, label string) {
	t.Helper()
	leaves := map[string]bool{}
	for _, spec := range Check(t, label) {
		if leaves[spec.LeafNodeText] {
			t.Errorf("two specs end with %q", spec.LeafNodeText)
		}
		leaves[spec.LeafNodeText] = true
	}
}
