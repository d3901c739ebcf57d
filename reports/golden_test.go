package reports

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sebdah/goldie/v2"
)

// sample makes TestSample write the reports of a realistic run, to be looked at.
var sample = flag.String("sample", "", "directory to render sample reports into")

func TestSample(t *testing.T) {
	if *sample == "" {
		return
	}
	for name, results := range runs() {
		if err := Render(filepath.Join(*sample, name), results); err != nil {
			t.Fatal(err)
		}
	}
}

func runs() map[string]*Results {
	return map[string]*Results{"clean": cleanRun(), "troubled": troubledRun(), "filtered": filteredRun(),
		"empty":     emptyRun(),
		"undecided": undecidedRun(), "repaired": repairedRun()}
}

// brief keeps of each row what did not pass and one spec that did, so that the goldens can be read.
func brief(r *Results) *Results {
	shown := map[string]bool{}
	r.Specs = slices.DeleteFunc(r.Specs, func(spec Spec) bool {
		kind := spec.Row + string(spec.State) + string(spec.Repaired())
		repeated := shown[kind]
		shown[kind] = true
		return repeated
	})
	r.Tally()
	return r
}

func TestGolden(t *testing.T) {
	golden := goldie.New(t, goldie.WithFixtureDir("testdata"), goldie.WithNameSuffix(""))
	for name, results := range runs() {
		dir := t.TempDir()
		if err := Render(dir, brief(results)); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{fileResults, fileJUnit, fileMarkdown, fileHTML} {
			t.Run(name+"/"+file, func(t *testing.T) {
				data, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				golden.Assert(t, name+"/"+file, data)
			})
		}
		t.Run(name+"/summary", func(t *testing.T) {
			var summary bytes.Buffer
			if err := Summary(&summary, runs()[name], "_output/latest", 100); err != nil {
				t.Fatal(err)
			}
			golden.Assert(t, name+"/summary.txt", summary.Bytes())
		})
	}
}

func TestGoldenClaims(t *testing.T) {
	golden := goldie.New(t, goldie.WithFixtureDir("testdata"), goldie.WithNameSuffix(""))
	for name, results := range map[string]*Results{"clean": cleanRun(), "troubled": troubledRun()} {
		golden.Assert(t, name+"/"+fileConformance, render(t, Conformance, results))
		golden.Assert(t, name+"/"+fileConformancePublished, render(t, ConformancePublished, results))
	}
}
