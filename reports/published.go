package reports

import (
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	confv1a1 "sigs.k8s.io/gateway-api/conformance/apis/v1alpha1"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

// publishedProfiles are the profiles as the published v1.0.0 reports know them. HTTP and TLS are the module's own; its
// MESH profile got HTTPRoute as core and HTTPRoute's extended features only after the module's version, by gateway-api
// pull request 2543, which no available version of the module holds.
func publishedProfiles() []suite.ConformanceProfile {
	return []suite.ConformanceProfile{
		suite.HTTPConformanceProfile,
		suite.TLSConformanceProfile,
		{
			Name:             suite.MeshConformanceProfileName,
			CoreFeatures:     suite.MeshCoreFeatures.Union(suite.HTTPRouteCoreFeatures),
			ExtendedFeatures: suite.HTTPRouteExtendedFeatures,
		},
	}
}

// ConformancePublished renders the outcomes in the shape of the reports published for Gateway API v1.0.0, Istio's 1.20
// among them. A test belongs to each profile that knows all its features, and is extended where any of them is.
// ok is false where the results support no claim.
func ConformancePublished(r *Results) (report []byte, ok bool, err error) {
	byName, ok := outcomes(r)
	if !ok {
		return nil, false, nil
	}
	written := &confv1a1.ConformanceReport{
		TypeMeta:          metav1.TypeMeta{APIVersion: "gateway.networking.k8s.io/v1alpha1", Kind: "ConformanceReport"},
		Implementation:    implementation(r),
		GatewayAPIVersion: conformanceRelease,
	}
	for _, profile := range publishedProfiles() {
		written.ProfileReports = append(written.ProfileReports, profileReport(profile, byName))
	}
	report, err = conformanceYAML(r, written,
		"Published-compatible: the shape of the reports published for Gateway API "+conformanceRelease+", with their",
		"MESH profile, computed from the outcomes of the tests and the features they declare.",
		"The tests that ran are those of module sigs.k8s.io/gateway-api "+conformanceModule+".")
	return report, err == nil, err
}

func profileReport(profile suite.ConformanceProfile, byName map[string]Spec) confv1a1.ProfileReport {
	report := confv1a1.ProfileReport{Name: string(profile.Name)}
	all := profile.CoreFeatures.Union(profile.ExtendedFeatures)
	for _, test := range tests.ConformanceTests {
		if !all.HasAll(test.Features...) {
			continue
		}
		status := &report.Core
		if profile.ExtendedFeatures.HasAny(test.Features...) {
			if report.Extended == nil {
				report.Extended = &confv1a1.ExtendedStatus{SupportedFeatures: names(profile.ExtendedFeatures)}
			}
			status = &report.Extended.Status
		}
		switch failed, skipped := verdictOf(byName[test.ShortName]); {
		case failed:
			status.Failed++
			status.FailedTests = append(status.FailedTests, test.ShortName)
		case skipped:
			status.Skipped++
			status.SkippedTests = append(status.SkippedTests, test.ShortName)
		default:
			status.Passed++
		}
	}
	report.Core.Result = resultOf(report.Core.Statistics)
	if report.Extended != nil {
		report.Extended.Result = resultOf(report.Extended.Statistics)
	}
	return report
}

// resultOf is never a success without a pass.
func resultOf(counted confv1a1.Statistics) confv1a1.Result {
	switch {
	case counted.Failed > 0:
		return confv1a1.Failure
	case counted.Skipped > 0 || counted.Passed == 0:
		return confv1a1.Partial
	}
	return confv1a1.Success
}

func names(features sets.Set[suite.SupportedFeature]) []string {
	var out []string
	for feature := range features {
		out = append(out, string(feature))
	}
	return out
}

// version matches the implementation's version, which YAML reads as a number where it is not quoted: 1.20 as 1.2.
var version = regexp.MustCompile(`(?m)^  version: ([^"'\n]+)$`)

func marshalReport(report *confv1a1.ConformanceReport) ([]byte, error) {
	body, err := yaml.Marshal(report)
	if err != nil {
		return nil, fmt.Errorf("encode the conformance report: %w", err)
	}
	return version.ReplaceAll(body, []byte(`  version: "$1"`)), nil
}
