package reports

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), fileResults)
	saved := troubledRun()
	for range 2 {
		if err := saved.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	// Marshalling turns what is not UTF-8 or absent into its nearest equal; compare what a second round gives.
	if err := loaded.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded, again) || loaded.Totals != saved.Totals || len(loaded.Specs) != len(saved.Specs) {
		t.Error("what was loaded is not what was saved")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info, err)
	}
}

func TestLoadDoesNotBelieveTotals(t *testing.T) {
	path := filepath.Join(t.TempDir(), fileResults)
	content := `{"schema":2,"rows":[{"id":"a","title":"A","state":"passed"}],"totals":{"passed":7,"total":7},
		"specs":[{"id":"a.x","row":"a","name":"x","state":"failed"}]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Passed != 0 || r.Totals.Failed != 1 || r.Rows[0].State != StateFailed {
		t.Errorf("totals %+v, row %+v", r.Totals, r.Rows[0])
	}
}

func TestLoadRefuses(t *testing.T) {
	const rows = `"rows":[{"id":"a","title":"A","state":"passed"}]`
	cases := map[string]struct{ content, want string }{
		"not JSON":         {`{`, "not valid JSON"},
		"older schema":     {`{"schema":1,"earlier":true}`, "schema version 1, whose specs have ids made of their sentences"},
		"newer schema":     {`{"schema":3,"later":true}`, "schema version 3, this program reads version 2"},
		"no schema":        {`{}`, "no schema version, this program reads version 2"},
		"unknown field":    {`{"schema":2,"verdict":"fine"}`, `unknown field "verdict"`},
		"unknown state":    {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"green"}]}`, `unknown state "green"`},
		"no state":         {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a"}]}`, `unknown state ""`},
		"unknown level":    {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"passed","level":"deep"}]}`, `unknown level "deep"`},
		"unknown evidence": {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"passed","evidence":[{"level":"z"}]}]}`, `unknown level "z"`},
		"unknown doubt": {`{"schema":2,` + rows + `,` +
			`"specs":[{"id":"a.x","row":"a","state":"undecided","doubt":"mood"}]}`, `has the doubt "mood"`},
		"doubtful pass": {`{"schema":2,` + rows + `,` +
			`"specs":[{"id":"a.x","row":"a","state":"passed","doubt":"starved"}]}`, `is passed and has the doubt "starved"`},
		"repair of a failure": {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"failed",` +
			`"defect":{"affected":"*","severity":"traffic","repaired":"here"}}]}`, `is failed and has the repair "here"`},
		"unknown repair": {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"passed",` +
			`"defect":{"affected":"*","severity":"traffic","repaired":"maybe"}}]}`, `has the repair "maybe"`},
		"unknown row": {`{"schema":2,` + rows + `,"specs":[{"id":"b.x","row":"b","state":"passed"}]}`, `unknown row "b"`},
		"row's state": {`{"schema":2,"rows":[{"id":"a","state":"ok"}]}`, `unknown state "ok"`},
		"row twice":   {`{"schema":2,"rows":[{"id":"a"},{"id":"a"}]}`, `row "a" is listed twice`},
		"foreign id":  {`{"schema":2,` + rows + `,"specs":[{"id":"b.x","row":"a","state":"passed"}]}`, `does not begin with its row "a"`},
		"spec twice": {`{"schema":2,` + rows + `,"specs":[{"id":"a.x","row":"a","state":"passed"},{"id":"a.x","row":"a","state":"failed"}]}`,
			`spec "a.x" is listed twice`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), fileResults)
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
			if code := problem.ExitCode(err); code != problem.ExitUsage {
				t.Errorf("exit code %d", code)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := Load(filepath.Join(t.TempDir(), fileResults))
		if err == nil || problem.ExitCode(err) != problem.ExitUsage {
			t.Errorf("got %v", err)
		}
	})
}

func TestSaveRefusesWhatItCouldNotLoad(t *testing.T) {
	dir := t.TempDir()
	r := cleanRun()
	r.Specs[0].State = "green"
	if err := r.Save(filepath.Join(dir, fileResults)); err == nil {
		t.Error("an unknown state was saved")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}
