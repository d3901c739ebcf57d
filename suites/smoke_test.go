package suites

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/spec"
)

// listed runs this test binary again as a dry run and returns what it lists, because only a run of the suite builds its
// tree of specs.
func listed(t *testing.T) *kindconfig.Listing {
	t.Helper()
	if *jobPath != "" || *listPath != "" {
		t.Skip("this process runs or lists the suite itself")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "list.json")
	cmd := exec.CommandContext(t.Context(), program, "--test.run=^TestConformance$", "--ginkgo.dry-run", "--list="+path)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dry run of the suite: %v\n%s", err, said)
	}
	listing, err := kindconfig.LoadListing(path)
	if err != nil {
		t.Fatal(err)
	}
	return listing
}

func TestEachRowHasASmokeSpec(t *testing.T) {
	listing := listed(t)
	var specs [][]string
	for _, row := range listing.Rows {
		for _, spec := range row.Specs {
			specs = append(specs, spec.Labels)
		}
	}
	for _, row := range catalogue.WithoutSmoke(specs) {
		t.Errorf("row %s has no spec with the label %s", row, catalogue.Smoke)
	}
}

// TestEverySpecHasAnID checks the ids of all specs, and that each entry of the lists names a spec, which would be a
// problem of the listing otherwise.
func TestEverySpecHasAnID(t *testing.T) {
	listing := listed(t)
	for _, found := range listing.Problems {
		t.Error(found)
	}
	ids := map[string]bool{}
	for _, row := range listing.Rows {
		for _, one := range row.Specs {
			if ids[one.ID] {
				t.Errorf("two specs have the id %s", one.ID)
			}
			ids[one.ID] = true
			if err := spec.Check(append(one.Labels, one.ID)); err != nil {
				t.Errorf("%s: %v", one.FullName, err)
			}
		}
	}
	if len(ids) == 0 {
		t.Error("the suite lists no spec")
	}
}
