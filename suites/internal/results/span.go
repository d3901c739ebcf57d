package results

import (
	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	specs "mesh-conformance/suites/internal/spec"
)

// setSpan records which releases make a spec's promise. A spec that did not run, because the subject's release does not
// make it, is exempt.
func setSpan(made *reports.Spec, job *kindconfig.Job, spec types.SpecReport) {
	span, err := specs.SpanOf(spec.Labels())
	if err != nil {
		return
	}
	made.Since, made.Until = span.Since, span.Until
	if reason, is := specs.Exempt(job, spec.Labels()); is && made.State == reports.StateNotRun {
		made.State, made.Reason = reports.StateExempt, reason
	}
}
