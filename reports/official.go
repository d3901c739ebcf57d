package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	confv1a1 "sigs.k8s.io/gateway-api/conformance/apis/v1alpha1"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

// The version of upstream's conformance module that the suite runs, and the release of the API it tests.
const (
	conformanceModule  = "v1.0.1-0.20231102234152-004e14bfe016"
	conformanceRelease = "v1.0.0"
)

// conformancePrefix begins the ids of the rows whose specs are upstream's tests.
const conformancePrefix = "gatewayapi/"

// outcomes maps the ShortName of each of upstream's tests to its spec. ok is false where one has no outcome or is
// undecided, or the run was filtered: then nothing may be claimed.
func outcomes(r *Results) (byName map[string]Spec, ok bool) {
	byName = map[string]Spec{}
	for _, spec := range r.Specs {
		if strings.HasPrefix(spec.Row, conformancePrefix) && spec.State != StateNotRun {
			name := spec.ID[strings.LastIndex(spec.ID, ".")+1:]
			// Where a test stands twice, its worse outcome counts.
			if known, twice := byName[name]; !twice || RowState([]State{known.State, spec.State}) == spec.State {
				byName[name] = spec
			}
		}
	}
	if r.Run.Filter != "" {
		return byName, false
	}
	for _, test := range tests.ConformanceTests {
		if spec, found := byName[test.ShortName]; !found || spec.State == StateUndecided {
			return byName, false
		}
	}
	return byName, true
}

// verdictOf says how a test enters a conformance report. A flake is a failure: a claim of conformance rests on first
// attempts. Known defects and exemptions are skips, as in Istio's own reports, which makes the profile partial.
func verdictOf(spec Spec) (failed, skipped bool) {
	switch spec.State {
	case StatePassed:
		return false, false
	case StateKnownDefect, StateExempt:
		return false, true
	}
	return true, false
}

// Conformance has upstream's own code write the ConformanceReport: its experimental suite runs all of its tests, each
// replaced by one that replays the recorded outcome. Only the date, which is the run's, and the order of lists that
// upstream takes from maps are ours. ok is false where the results support no claim.
func Conformance(r *Results) (report []byte, ok bool, err error) {
	byName, ok := outcomes(r)
	if !ok {
		return nil, false, nil
	}
	var skips []string
	replays := make([]suite.ConformanceTest, 0, len(tests.ConformanceTests))
	replayed := sets.New[string]()
	for _, test := range tests.ConformanceTests {
		failed, skipped := verdictOf(byName[test.ShortName])
		if skipped {
			skips = append(skips, test.ShortName)
		}
		replays = append(replays, suite.ConformanceTest{ShortName: test.ShortName, Features: test.Features,
			Test: func(t *testing.T, _ *suite.ConformanceTestSuite) {
				replayed.Insert(test.ShortName)
				if failed {
					t.Fail()
				}
			}})
	}
	official, err := suite.NewExperimentalConformanceTestSuite(suite.ExperimentalConformanceOptions{
		// The suite changes the sets it is given, and AllFeatures is upstream's own variable.
		Options: suite.Options{SupportedFeatures: suite.AllFeatures.Clone(), SkipTests: skips},
		ConformanceProfiles: sets.New(suite.HTTPConformanceProfileName, suite.TLSConformanceProfileName,
			suite.MeshConformanceProfileName),
		Implementation: implementation(r),
	})
	if err != nil {
		return nil, false, fmt.Errorf("build upstream's conformance suite: %w", err)
	}
	var runErr error
	if err := withT(func(t *testing.T) { runErr = official.Run(t, replays) }); err != nil {
		return nil, false, fmt.Errorf("replay upstream's conformance suite: %w", err)
	}
	if runErr != nil {
		return nil, false, fmt.Errorf("replay upstream's conformance suite: %w", runErr)
	}
	// Upstream counts a test that the testing package filtered away as passed.
	if ran := replayed.Len() + len(skips); ran != len(replays) {
		return nil, false, fmt.Errorf("replay upstream's conformance suite: %d of %d tests ran", ran, len(replays))
	}
	written, err := official.Report()
	if err != nil {
		return nil, false, fmt.Errorf("write upstream's conformance report: %w", err)
	}
	report, err = conformanceYAML(r, written,
		"Written by the conformance suite of sigs.k8s.io/gateway-api itself, module version",
		conformanceModule+", from the recorded outcomes of one run.",
		"Added afterwards: the run's date and a stable order of lists. \"TODO\" is what that version",
		"of the suite writes, and it knows no extended tests of the MESH profile:",
		fileConformancePublished+" has the shape of the published reports.")
	return report, err == nil, err
}

// implementation names the subject as Istio's published report does.
func implementation(r *Results) confv1a1.Implementation {
	return confv1a1.Implementation{
		Organization: "istio", Project: "istio", URL: "github.com/istio/istio",
		Version: r.Cell.Istio, Contact: []string{"@istio/maintainers"},
	}
}

// conformanceYAML gives a report the run's date and a stable order, and says above it what it is.
func conformanceYAML(r *Results, report *confv1a1.ConformanceReport, header ...string) ([]byte, error) {
	report.Date = r.Run.Started.UTC().Format(time.RFC3339)
	slices.SortFunc(report.ProfileReports, func(a, b confv1a1.ProfileReport) int { return strings.Compare(a.Name, b.Name) })
	for i := range report.ProfileReports {
		profile := &report.ProfileReports[i]
		slices.Sort(profile.Core.SkippedTests)
		slices.Sort(profile.Core.FailedTests)
		if profile.Extended != nil {
			slices.Sort(profile.Extended.SkippedTests)
			slices.Sort(profile.Extended.FailedTests)
			slices.Sort(profile.Extended.SupportedFeatures)
			slices.Sort(profile.Extended.UnsupportedFeatures)
		}
	}
	body, err := marshalReport(report)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, line := range append(header, fmt.Sprintf("Cell: %s, Kubernetes %s, %s.", r.Cell.subject(), r.Cell.Kubernetes, r.Cell.proxy())) {
		fmt.Fprintf(&b, "# %s\n", oneLine(line, 0))
	}
	b.Write(body)
	return []byte(b.String()), nil
}
