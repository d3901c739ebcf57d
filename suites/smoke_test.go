package suites

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
)

// TestEachRowHasASmokeSpec runs this test binary again as a dry run, because only a run of the suite builds its tree of
// specs.
func TestEachRowHasASmokeSpec(t *testing.T) {
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
