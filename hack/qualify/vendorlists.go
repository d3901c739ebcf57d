package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// addListFlags adds the flags that name a vendor's own lists.
func addListFlags(cmd *cobra.Command, o *runOptions) {
	f := cmd.Flags()
	f.StringVar(&o.knownDefects, "known-defects", "",
		"YAML file of a vendor's own known defects, as suites/known-defects.yaml; a link is not required")
	f.StringVar(&o.exemptions, "exemptions", "",
		"YAML file of a vendor's own exemptions, as suites/exemptions.yaml; a link is not required")
}

// fits compares a vendor's lists, which may be nil, with what the suite holds. Every entry has to name a spec of the
// suite. None may name a spec for which the suite's own list has a known defect that holds for the build under test:
// two messages for one failure are ambiguous, and an exemption would hide the defect. Errors are those of usage.
func fits(lists *kindconfig.VendorLists, subject kindconfig.Subject, listing *kindconfig.Listing) error {
	own := map[string]*kindconfig.ListedEntry{}
	var ids []string
	for _, row := range listing.Rows {
		for _, spec := range row.Specs {
			ids = append(ids, spec.ID)
			own[spec.ID] = spec.KnownDefect
		}
	}
	check := func(spec, file string) error {
		entry, there := own[spec]
		switch {
		case !there:
			return problem.Usage(fmt.Sprintf("the suite has no spec %q", spec), file,
				fmt.Sprintf("did you mean %s? qualify list has all ids", nearest(spec, ids)))
		case entry == nil:
			return nil
		}
		if (kindconfig.KnownDefect{Affected: entry.Affected}).Holds(subject) {
			return problem.Usage(fmt.Sprintf("the suite's list already has %s as a known defect of Istio %s", spec, subject.Base),
				file, "remove the entry")
		}
		return nil
	}
	exemptions, knownDefects := lists.Named()
	for _, e := range exemptions {
		if err := check(e.Spec, e.List); err != nil {
			return err
		}
	}
	for _, d := range knownDefects {
		if err := check(d.Spec, d.List); err != nil {
			return err
		}
	}
	return nil
}

// nearest returns the id that takes the fewest changes to become from a mistyped one.
func nearest(mistyped string, ids []string) string {
	if len(ids) == 0 {
		return "another one"
	}
	return slices.MinFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(levenshtein.ComputeDistance(mistyped, a), levenshtein.ComputeDistance(mistyped, b)),
			cmp.Compare(a, b))
	})
}
