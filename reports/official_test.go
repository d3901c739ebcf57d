package reports

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	confv1a1 "sigs.k8s.io/gateway-api/conformance/apis/v1alpha1"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

// parse reads a rendered report back, keyed by profile.
func parse(t *testing.T, data []byte) (confv1a1.ConformanceReport, map[string]confv1a1.ProfileReport) {
	t.Helper()
	var report confv1a1.ConformanceReport
	if err := yaml.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	profiles := map[string]confv1a1.ProfileReport{}
	for _, profile := range report.ProfileReports {
		profiles[profile.Name] = profile
	}
	return report, profiles
}

// render calls one of the two renderers, which must have something to claim.
func render(t *testing.T, renderer func(*Results) ([]byte, bool, error), r *Results) []byte {
	t.Helper()
	data, ok, err := renderer(r)
	if err != nil || !ok {
		t.Fatalf("no report: %v, %v", ok, err)
	}
	return data
}

func TestPublishedEqualsIstiosReport(t *testing.T) {
	reference, err := os.ReadFile("testdata/published-istio-1.20.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Unquoted, Istio's version is the number 1.2.
	reference = regexp.MustCompile(`version: 1\.20`).ReplaceAll(reference, []byte(`version: "1.20"`))
	want, _ := parse(t, reference)
	got, _ := parse(t, render(t, ConformancePublished, cleanRun()))
	for _, report := range []*confv1a1.ConformanceReport{&want, &got} {
		report.Date, report.Version = "", ""
		slices.SortFunc(report.ProfileReports, func(a, b confv1a1.ProfileReport) int { return strings.Compare(a.Name, b.Name) })
		for _, profile := range report.ProfileReports {
			if profile.Extended != nil {
				slices.Sort(profile.Extended.SupportedFeatures)
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestConformanceOutcomes(t *testing.T) {
	type counts struct{ passed, skipped, failed uint32 }
	cases := []struct {
		name           string
		state          State
		test           string
		core, extended counts
		coreResult     confv1a1.Result
		extendedResult confv1a1.Result
	}{
		{"all as listed", StatePassed, "HTTPRouteMatching", counts{29, 0, 0}, counts{12, 0, 0}, confv1a1.Success, confv1a1.Success},
		{"a core failure", StateFailed, "HTTPRouteMatching", counts{28, 0, 1}, counts{12, 0, 0}, confv1a1.Failure, confv1a1.Success},
		{"an extended failure", StateFailed, "HTTPRouteRewriteHost", counts{29, 0, 0}, counts{11, 0, 1}, confv1a1.Success, confv1a1.Failure},
		{"a flake is a failure", StateFlaky, "HTTPRouteMatching", counts{28, 0, 1}, counts{12, 0, 0}, confv1a1.Failure, confv1a1.Success},
		{"a known defect is never passed", StateKnownDefect, "HTTPRouteMatching", counts{28, 1, 0}, counts{12, 0, 0}, confv1a1.Partial, confv1a1.Success},
		{"an exemption is never passed", StateExempt, "HTTPRouteRewriteHost", counts{29, 0, 0}, counts{11, 1, 0}, confv1a1.Success, confv1a1.Partial},
	}
	for _, c := range cases {
		for renderer, f := range map[string]func(*Results) ([]byte, bool, error){"official": Conformance, "published": ConformancePublished} {
			t.Run(c.name+"/"+renderer, func(t *testing.T) {
				_, profiles := parse(t, render(t, f, withState(cleanRun(), c.state, c.test)))
				http := profiles["HTTP"]
				core := counts{http.Core.Passed, http.Core.Skipped, http.Core.Failed}
				extended := counts{http.Extended.Passed, http.Extended.Skipped, http.Extended.Failed}
				if core != c.core || extended != c.extended || http.Core.Result != c.coreResult || http.Extended.Result != c.extendedResult {
					t.Errorf("core %v %s, extended %v %s", core, http.Core.Result, extended, http.Extended.Result)
				}
				if c.state != StatePassed {
					named := slices.Concat(http.Core.FailedTests, http.Core.SkippedTests, http.Extended.FailedTests, http.Extended.SkippedTests)
					if !slices.Equal(named, []string{c.test}) {
						t.Errorf("the report names %v, want %s", named, c.test)
					}
				}
				if tls := profiles["TLS"].Core; tls.Passed != 10 || tls.Result != confv1a1.Success {
					t.Errorf("TLS %+v", tls)
				}
			})
		}
	}
}

func TestConformanceChangesNothingUpstream(t *testing.T) {
	features, count := suite.AllFeatures.Clone(), len(tests.ConformanceTests)
	mesh := suite.MeshCoreFeatures.Clone()
	first := render(t, Conformance, cleanRun())
	_ = render(t, ConformancePublished, cleanRun())
	if !suite.AllFeatures.Equal(features) || len(tests.ConformanceTests) != count || !suite.MeshCoreFeatures.Equal(mesh) {
		t.Error("rendering changed upstream's own sets")
	}
	for range 5 {
		if again := render(t, Conformance, withState(cleanRun(), StatePassed)); string(again) != string(first) {
			t.Fatal("the report differs from one rendering to the next")
		}
	}
}

func TestNoClaim(t *testing.T) {
	without := func(name string) *Results {
		r := cleanRun()
		r.Specs = slices.DeleteFunc(r.Specs, func(s Spec) bool { return strings.HasSuffix(s.ID, "."+name) })
		return r
	}
	filtered := cleanRun()
	filtered.Run.Filter = "gatewayapi.http"
	for name, r := range map[string]*Results{
		"filtered, though all ran": filtered,
		"filtered":                 filteredRun(),
		"a test is missing":        without("HTTPRouteMatching"),
		"a test did not run":       withState(cleanRun(), StateNotRun, "MeshBasic"),
		"a test is undecided":      withState(cleanRun(), StateUndecided, "MeshBasic"),
		"nothing ran":              emptyRun(),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, stale := range []string{fileConformance, fileConformancePublished} {
				if err := os.WriteFile(filepath.Join(dir, stale), []byte("stale"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := Render(dir, r); err != nil {
				t.Fatal(err)
			}
			if claims, _ := filepath.Glob(filepath.Join(dir, "gateway-api-*")); len(claims) > 0 {
				t.Errorf("written or left: %v", claims)
			}
		})
	}
}

func TestWorseOutcomeOfATestCounts(t *testing.T) {
	for _, states := range [][2]State{{StateFailed, StatePassed}, {StatePassed, StateFailed},
		{StatePassed, StateUndecided}} {
		r := &Results{Specs: []Spec{
			{ID: "gatewayapi.http.A", Row: "gatewayapi/http", State: states[0]},
			{ID: "gatewayapi.tls.A", Row: "gatewayapi/tls", State: states[1]},
			{ID: "mirroring.B", Row: "mirroring", State: StatePassed},
		}}
		byName, _ := outcomes(r)
		if len(byName) != 1 || byName["A"].State == StatePassed {
			t.Errorf("outcomes of %v: %v", states, byName)
		}
	}
}

func TestModuleVersionIsTheOneInGoMod(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "sigs.k8s.io/gateway-api "+conformanceModule) {
		t.Errorf("go.mod does not pin the gateway-api %s that the reports name", conformanceModule)
	}
}

// TestOrdinaryProgram shows that the reports come out the same in the driver, which is no test binary: there the testing
// package runs nothing, and says it passed, unless it is started by hand.
func TestOrdinaryProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program")
	}
	program := filepath.Join(t.TempDir(), "program")
	arguments := []string{"build", "-o", program}
	// As this binary is built, so that a cold machine compiles what the two have in common once.
	if built, ok := debug.ReadBuildInfo(); ok && slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		arguments = append(arguments, "-race")
	}
	if out, err := exec.CommandContext(t.Context(), "go", append(arguments, "./testdata/program")...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for name, r := range map[string]*Results{"clean": cleanRun(), "troubled": troubledRun()} {
		t.Run(name, func(t *testing.T) {
			here, there := t.TempDir(), t.TempDir()
			if err := Render(here, r); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), program, filepath.Join(here, fileResults), there, "--kubernetes", "1.28.15").CombinedOutput()
			if err != nil || string(out) != "rendered\n" {
				t.Fatalf("the program says %v:\n%s", err, out)
			}
			for _, file := range []string{fileConformance, fileConformancePublished, fileHTML, fileJUnit, fileMarkdown} {
				want, err := os.ReadFile(filepath.Join(here, file))
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(filepath.Join(there, file))
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != string(want) {
					t.Errorf("%s differs between a program and go test", file)
				}
			}
		})
	}
}
