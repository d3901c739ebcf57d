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
	if strings.HasPrefix(row, "gatewayapi/") {
		if name, _, ok := strings.Cut(report.LeafNodeText, ":"); ok {
			return row + "/" + name
		}
	}
	return row + "/" + slug(report.LeafNodeText)
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
