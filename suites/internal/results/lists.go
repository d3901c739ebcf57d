package results

import (
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
)

// Lists are the entries of the two data files beside the suite, and of a vendor's own files.
type Lists struct {
	Exemptions   []kindconfig.Exemption
	KnownDefects []kindconfig.KnownDefect
}

// ParseLists decodes exemptions.yaml and known-defects.yaml strictly; no spec may be listed twice. Errors are those of
// usage.
func ParseLists(exemptions, knownDefects []byte) (*Lists, error) {
	var lists Lists
	var err error
	if lists.Exemptions, err = kindconfig.ParseExemptions(exemptions, kindconfig.ExemptionsFile, false); err != nil {
		return nil, err
	}
	if lists.KnownDefects, err = kindconfig.ParseKnownDefects(knownDefects, kindconfig.KnownDefectsFile, false); err != nil {
		return nil, err
	}
	return &lists, kindconfig.ListedOnce(lists.Exemptions, lists.KnownDefects)
}

// With appends a vendor's entries to the suite's; a nil vendor changes nothing.
func (l *Lists) With(vendors *kindconfig.VendorLists) *Lists {
	exemptions, knownDefects := vendors.Named()
	return &Lists{
		Exemptions:   slices.Concat(l.Exemptions, exemptions),
		KnownDefects: slices.Concat(l.KnownDefects, knownDefects),
	}
}

// defect returns the entry of a spec that holds for the build under test. Where none does, it returns the first entry
// of the spec, and false; nil where there is none.
func (l *Lists) defect(spec string, subject kindconfig.Subject) (entry *kindconfig.KnownDefect, holds bool) {
	for i, d := range l.KnownDefects {
		switch {
		case d.Spec != spec:
		case d.Holds(subject):
			return &l.KnownDefects[i], true
		case entry == nil:
			entry = &l.KnownDefects[i]
		}
	}
	return entry, false
}

// FailsAsKnown reports whether a spec that fails, although its state may not tell yet, does so as an entry that holds
// for the build under test has it. One that panics or takes too long does not.
func (l *Lists) FailsAsKnown(spec types.SpecReport, subject kindconfig.Subject) bool {
	defect, holds := l.defect(SpecID(spec), subject)
	return holds && failsAs(spec, defect)
}

// failsAs reports whether a spec fails with the message of an entry.
func failsAs(spec types.SpecReport, defect *kindconfig.KnownDefect) bool {
	return defect.Message != "" && (spec.State == types.SpecStateFailed || !spec.Failed()) &&
		strings.Contains(spec.FailureMessage(), defect.Message)
}

// Exempt returns the entry of a spec that holds for a cell, one of the suite before one of a vendor; nil where there is
// none.
func (l *Lists) Exempt(spec string, cell *kindconfig.Cell) *kindconfig.Exemption {
	for i, e := range l.Exemptions {
		if e.Spec == spec && e.Holds(cell) {
			return &l.Exemptions[i]
		}
	}
	return nil
}
