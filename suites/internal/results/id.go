// Package results turns what Ginkgo reports into the result model, by the lists of exemptions and
// known defects.
package results

import (
	"strings"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/spec"
)

// EntryDiagnostics names the report entry that holds a failed spec's folder.
const EntryDiagnostics = "diagnostics"

// SpecID returns a spec's id: the one that spec.ID gave it. It is empty where the spec has none, or several.
func SpecID(report types.SpecReport) string {
	id, _ := spec.IDOf(report.Labels())
	return id
}

// SpecName is the sentence that a spec is: with the texts of its containers, but for upstream's tests, whose
// containers only tell where they run.
func SpecName(report types.SpecReport) string {
	if upstreams(report) {
		return report.LeafNodeText
	}
	return report.FullText()
}

// upstreams says whether a spec is a test of the Gateway API's own suite.
func upstreams(report types.SpecReport) bool {
	row, _ := catalogue.RowOf(report.Labels())
	return strings.HasPrefix(row.ID, "gatewayapi/")
}
