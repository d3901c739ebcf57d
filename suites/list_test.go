package suites

import (
	"flag"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/results"
	specs "mesh-conformance/suites/internal/spec"
)

var listPath = flag.String("list", "", "where a dry run writes what the suite holds; qualify list reads it")

var _ = ReportAfterSuite("list", func(report Report) {
	if *listPath != "" {
		Expect(listing(lists, report).Save(*listPath)).To(Succeed())
	}
})

// listing says what a dry run found. Its faults are those that the results of a run would have.
func listing(lists *results.Lists, report Report) *kindconfig.Listing {
	made := &kindconfig.Listing{Problems: results.Collect(&kindconfig.Job{}, lists, report, nil).Problems}
	position := map[string]int{}
	for i, row := range catalogue.Rows() {
		made.Rows = append(made.Rows, kindconfig.ListedRow{ID: row.ID, Title: row.Title, Specs: []kindconfig.ListedSpec{}})
		position[row.ID] = i
	}
	for _, spec := range report.SpecReports {
		row, ok := catalogue.RowOf(spec.Labels())
		if !ok || spec.LeafNodeType != types.NodeTypeIt {
			continue
		}
		// Collect has made a problem of labels that name no release.
		span, _ := specs.SpanOf(spec.Labels())
		listed := kindconfig.ListedSpec{
			Since: span.Since, Until: span.Until,
			ID: results.SpecID(spec), Name: spec.LeafNodeText, FullName: spec.FullText(), Labels: specs.Shown(spec.Labels()),
			Selected: !spec.State.Is(types.SpecStateSkipped | types.SpecStatePending),
		}
		for _, d := range lists.KnownDefects {
			if d.Spec == listed.ID {
				listed.KnownDefect = &kindconfig.ListedEntry{
					Reason: d.Reason, Link: d.Link, Affected: d.Affected, Fixed: d.Fixed, Severity: d.Severity,
				}
			}
		}
		for _, e := range lists.Exemptions {
			if e.Spec == listed.ID {
				listed.Exemption = &kindconfig.ListedEntry{Reason: e.Reason, Link: e.Link, For: e.For()}
			}
		}
		at := &made.Rows[position[row.ID]]
		at.Specs = append(at.Specs, listed)
	}
	return made
}
