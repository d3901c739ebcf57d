package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func listingOfThree() *kindconfig.Listing {
	return &kindconfig.Listing{Rows: []kindconfig.ListedRow{
		{ID: "mirroring", Specs: []kindconfig.ListedSpec{
			{ID: "mirroring/shares"},
			{ID: "mirroring/grants", KnownDefect: &kindconfig.ListedEntry{Affected: ">=1.20.0 <1.20.7"}},
		}},
		{ID: "upgrade", Specs: []kindconfig.ListedSpec{{ID: "upgrade/leap", Exemption: &kindconfig.ListedEntry{}}}},
	}}
}

func TestFits(t *testing.T) {
	defect := func(spec string) *kindconfig.VendorLists {
		return &kindconfig.VendorLists{KnownDefectsFile: "acme.yaml", KnownDefects: []kindconfig.KnownDefect{{Spec: spec}}}
	}
	exemption := func(spec string) *kindconfig.VendorLists {
		return &kindconfig.VendorLists{ExemptionsFile: "acme.yaml", Exemptions: []kindconfig.Exemption{{Spec: spec}}}
	}
	for name, c := range map[string]struct {
		lists   *kindconfig.VendorLists
		version string
		want    string
	}{
		"no lists":                                    {nil, "1.20.0", ""},
		"a defect of a spec that no list has":         {defect("mirroring/shares"), "1.20.0", ""},
		"an unknown spec of a defect":                 {defect("mirroring/share"), "1.20.0", "did you mean mirroring/shares?"},
		"an unknown spec of an exemption":             {exemption("upgrade/step"), "1.20.0", "did you mean upgrade/leap?"},
		"a defect that the suite's list has":          {defect("mirroring/grants"), "1.20.0", "remove the entry"},
		"an exemption from a known defect":            {exemption("mirroring/grants"), "1.20.6", "known defect of Istio 1.20.6"},
		"a defect that the suite's list had":          {defect("mirroring/grants"), "1.20.7", ""},
		"an exemption of a spec that is exempt twice": {exemption("upgrade/leap"), "1.20.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := fits(c.lists, kindconfig.ReleaseSubject(c.version), listingOfThree())
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "acme.yaml") {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

// located completes every subject in one way.
type reporting kindconfig.Subject

func (l reporting) Subject(context.Context, kindconfig.Subject) (kindconfig.Subject, error) {
	return kindconfig.Subject(l), nil
}

func TestListsAreComparedWithTheLocatedSubject(t *testing.T) {
	s := &site{subject: kindconfig.Subject{Name: "acme", Origin: kindconfig.OriginImages}}
	o := runOptions{lists: &kindconfig.VendorLists{
		KnownDefectsFile: "acme.yaml", KnownDefects: []kindconfig.KnownDefect{{Spec: "mirroring/grants"}},
	}}
	if _, err := s.locate(t.Context(), reporting{Name: "acme", Version: "1.20.3-acme.1", Base: "1.20.3"}); err != nil {
		t.Fatal(err)
	}
	if err := s.fits(o, listingOfThree()); problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "Istio 1.20.3") {
		t.Errorf("got %v, want a usage error, because the suite's list has the defect of 1.20.3", err)
	}
}

func TestRunReadsListsBeforeItBuilds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(file, []byte("- {spec: a/b, why: because}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"run with a malformed list":      {"run", "--known-defects", file},
		"run with a list that is absent": {"run", "--exemptions", file + ".absent"},
		"matrix with a malformed list":   {"matrix", "--exemptions", file},
		"bench with a malformed list":    {"bench", "--known-defects", file},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			cmd := newCommand()
			cmd.SetArgs(append(args, "--cache", cache, "--output", cache))
			err := cmd.ExecuteContext(t.Context())
			if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want a usage error that names the file", err)
			}
			if left, _ := os.ReadDir(cache); len(left) > 0 {
				t.Errorf("the cache has %v", left)
			}
		})
	}
}
