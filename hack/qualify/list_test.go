package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func sampleListing() *kindconfig.Listing {
	return &kindconfig.Listing{
		Rows: []kindconfig.ListedRow{
			{ID: "gatewayapi/mesh", Title: "The mesh tests", Specs: []kindconfig.ListedSpec{
				{ID: "gatewayapi.mesh.MeshBasic", Name: "MeshBasic: A client reaches a server", Selected: true,
					Since: "1.20", Until: "1.22"},
				{ID: "gatewayapi.mesh.MeshPorts", Name: "MeshPorts: A port", Selected: true,
					KnownDefect: &kindconfig.ListedEntry{Reason: "It fails.", Link: "https://example.com/1", Affected: ">=1.20.0 <1.20.7",
						Fixed: "1.20.7", Severity: kindconfig.SeverityTraffic}},
			}},
			{ID: "mirroring", Title: "Mirrors", Specs: []kindconfig.ListedSpec{
				{ID: "mirroring.copies", Name: "copies", Selected: false,
					Exemption: &kindconfig.ListedEntry{Reason: "No filter.", Link: "https://example.com/2", For: []string{"Kubernetes 1.25"}}},
			}},
			{ID: "upgrade", Title: "Upgrades"},
		},
		Problems: []string{"two specs have the id x"},
	}
}

func TestListText(t *testing.T) {
	all := sampleListing()
	all.Rows[1].Specs[0].Selected = true
	want := `gatewayapi/mesh  The mesh tests (2 specs)
├─ gatewayapi.mesh.MeshBasic  A client reaches a server
│      promised since Istio 1.20
│      promised before Istio 1.22 only
└─ gatewayapi.mesh.MeshPorts  A port
       known defect of Istio >=1.20.0 <1.20.7 (traffic, repaired in 1.20.7): It fails. https://example.com/1
mirroring  Mirrors (1 spec)
└─ mirroring.copies  copies
       exempt on Kubernetes 1.25: No filter. https://example.com/2
upgrade  Upgrades (no spec yet)
3 rows, 3 specs
problem: two specs have the id x
`
	if got := listText(all, false, 0); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	filtered := sampleListing()
	filtered.Rows[0].Specs[0].Selected = false
	want = `gatewayapi/mesh  The mesh tests (1 of 2…
└─ gatewayapi.mesh.MeshPorts  A port
       known defect of Istio >=1.20.0 <…
1 rows, 1 specs
problem: two specs have the id x
`
	if got := listText(filtered, true, 40); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSelectedRows(t *testing.T) {
	listing := sampleListing()
	kept := selectedRows(listing.Rows)
	if len(kept) != 1 || len(kept[0].Specs) != 2 || listing.Selected() != 2 || len(listing.Rows[1].Specs) != 1 {
		t.Errorf("kept %+v of %+v", kept, listing)
	}
}

// fakeProgram is a shell script in the place of a compiled one.
func fakeProgram(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSurvey(t *testing.T) {
	prepared := filepath.Join(t.TempDir(), "list.json")
	if err := sampleListing().Save(prepared); err != nil {
		t.Fatal(err)
	}
	writes := `[ "$1" = --ginkgo.dry-run ] && cp ` + prepared + ` "${2#--list=}"; `
	for _, c := range []struct{ name, script, want string }{
		{"writes its list", writes + `[ "$3" = "--ginkgo.focus=a b" ] && [ "$4" = --ginkgo.label-filter=c ]`, ""},
		{"fails after that", writes + "echo PASS; echo 'FAIL: it does'; exit 1", "the suite cannot list its specs"},
		{"cannot be built up", "echo 'goroutine 1'; echo 'panic: upstream has no test X [recovered]'; echo; exit 2", "panic: upstream has no test X"},
		{"refuses its lists", "echo '    suite_test.go:60: malformed list: x'; echo FAIL; exit 1", "malformed list: x"},
		{"writes nothing", "echo nothing", "list.json: no such file or directory: nothing"},
	} {
		listing, err := survey(t.Context(), suiteTools{suite: fakeProgram(t, c.script)}, "a b", "c")
		if c.want == "" {
			if err != nil || listing.Selected() != 2 {
				t.Errorf("a suite that %s: %+v, %v", c.name, listing, err)
			}
			continue
		}
		if problem.ExitCode(err) != problem.ExitEnvironment || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a suite that %s: %v, want %s", c.name, err, c.want)
		}
	}
}
