// Package results turns what Ginkgo reports into the result model, by the lists of exemptions and
// known defects.
package results

import (
	"regexp"
	"strings"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/suites/internal/catalogue"
)

// EntryDiagnostics names the report entry that holds a failed spec's folder.
const EntryDiagnostics = "diagnostics"

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// SpecID is a spec's stable id: its row's id, and of upstream's tests their short name, of all others
// the spec's own text in lower case with hyphens.
func SpecID(report types.SpecReport) string {
	row := "unlisted"
	if found, ok := catalogue.RowOf(report.Labels()); ok {
		row = found.ID
	}
	if upstreams(report) {
		if name, _, ok := strings.Cut(report.LeafNodeText, ":"); ok {
			return row + "/" + name
		}
	}
	return row + "/" + slug(report.LeafNodeText)
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

// slug keeps letters and digits and is short enough for a file name.
func slug(text string) string {
	made := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
	const longest = 80
	if len(made) > longest {
		made = strings.TrimRight(made[:longest], "-")
	}
	return made
}
