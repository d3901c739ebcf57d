package results

import (
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
	"mesh-conformance/suites/internal/catalogue"
)

func TestASpecWhoseReleaseIsNotPinnedIsExempt(t *testing.T) {
	const reason = "no release before 1.19 is pinned"
	made := job()
	made.Cell.Without = map[string]string{kindconfig.NeedsReleaseBefore: reason}
	for name, c := range map[string]struct {
		labels []string
		state  types.SpecState
		want   reports.State
		reason string
	}{
		"it needs the release":          {[]string{catalogue.Upgrade, kindconfig.NeedsReleaseBefore}, types.SpecStateSkipped, reports.StateExempt, reason},
		"it needs another release":      {[]string{catalogue.Upgrade, kindconfig.NeedsReleaseAfter}, types.SpecStateSkipped, reports.StateNotRun, ""},
		"it ran although it was exempt": {[]string{catalogue.Upgrade, kindconfig.NeedsReleaseBefore}, types.SpecStatePassed, reports.StatePassed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := specOf(made, &Lists{}, it("upgrades", c.state, c.labels...), nil)
			if got.State != c.want || got.Reason != c.reason {
				t.Errorf("state %s because %q, want %s because %q", got.State, got.Reason, c.want, c.reason)
			}
		})
	}
}
