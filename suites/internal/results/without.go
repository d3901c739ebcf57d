package results

import (
	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
)

// ExemptionOf finds why a spec is exempt in a cell: by an entry of the list, or because the cell lacks what specs with
// one of its labels need (kindconfig.Cell.Without). It returns nil where the spec has to run.
func (l *Lists) ExemptionOf(spec types.SpecReport, cell *kindconfig.Cell) *kindconfig.Exemption {
	id := SpecID(spec)
	if listed := l.Exempt(id, cell); listed != nil {
		return listed
	}
	for _, label := range spec.Labels() {
		if reason, lacks := cell.Without[label]; lacks {
			return &kindconfig.Exemption{Spec: id, Reason: reason}
		}
	}
	return nil
}
