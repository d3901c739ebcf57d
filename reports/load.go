package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mesh-conformance/hack/problem"
)

// Load reads a results.json. It accepts nothing it does not understand: a report drawn from half-read results
// would be a false one. What follows from the specs is derived anew, not believed.
func Load(path string) (*Results, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem.Usage("there are no results", path, "name the directory of a finished run")
	case err != nil:
		return nil, problem.Environment("cannot read the results", path, "", err)
	}
	var header struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return nil, problem.Usage("the results are not valid JSON: "+err.Error(), path, "run the suite again")
	}
	if err := checkSchema("the results have", header.Schema, path); err != nil {
		return nil, err
	}
	results := &Results{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(results); err != nil {
		return nil, problem.Usage("the results do not fit the schema: "+err.Error(), path, "use the program that wrote them")
	}
	if err := results.validate(); err != nil {
		return nil, problem.Usage("the results are not consistent: "+err.Error(), path, "run the suite again")
	}
	results.Tally()
	return results, nil
}

// checkSchema returns an error of bad input where a file has another schema version than this package reads, or none.
// has is how the sentence begins.
func checkSchema(has string, version *int, path string) error {
	switch {
	case version == nil:
		return problem.Usage(fmt.Sprintf("%s no schema version, this program reads version %d", has, Schema), path,
			"use the program that wrote them")
	case *version == Schema:
		return nil
	case *version == textIDs:
		return problem.Usage(fmt.Sprintf("%s schema version %d, whose specs have ids made of their sentences and cannot be compared "+
			"with those of version %d, which last", has, textIDs, Schema), path,
			"run the suite again, or use the program that wrote them")
	}
	return problem.Usage(fmt.Sprintf("%s schema version %d, this program reads version %d", has, *version, Schema), path,
		"use the program that wrote them")
}

// Save writes results.json so that a reader sees the old content or the new, never a part.
func (r *Results) Save(path string) error {
	r.Schema = Schema
	r.Tally()
	if err := r.validate(); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return write(path, append(data, '\n'))
}

// validate finds what no renderer could show truthfully.
func (r *Results) validate() error {
	rows := map[string]bool{}
	for _, row := range r.Rows {
		if rows[row.ID] {
			return fmt.Errorf("row %q is listed twice", row.ID)
		}
		if row.State != "" && !slices.Contains(states, row.State) {
			return fmt.Errorf("row %q has the unknown state %q", row.ID, row.State)
		}
		rows[row.ID] = true
	}
	specs := map[string]bool{}
	for _, spec := range r.Specs {
		switch {
		case specs[spec.ID]:
			return fmt.Errorf("spec %q is listed twice", spec.ID)
		case !slices.Contains(states, spec.State):
			return fmt.Errorf("spec %q has the unknown state %q", spec.ID, spec.State)
		case !rows[spec.Row]:
			return fmt.Errorf("spec %q belongs to the unknown row %q", spec.ID, spec.Row)
		case !strings.HasPrefix(spec.ID, strings.ReplaceAll(spec.Row, "/", ".")+"."):
			return fmt.Errorf("spec %q does not begin with its row %q", spec.ID, spec.Row)
		case spec.Doubt != "" && (spec.State != StateUndecided || !slices.Contains(doubts, spec.Doubt)):
			return fmt.Errorf("spec %q is %s and has the doubt %q", spec.ID, spec.State, spec.Doubt)
		case spec.Defect != nil && spec.Defect.Repaired != "" && spec.Repaired() != RepairedHere &&
			spec.Repaired() != RepairedSince:
			return fmt.Errorf("spec %q is %s and has the repair %q", spec.ID, spec.State, spec.Defect.Repaired)
		case spec.Level != "" && !known(spec.Level):
			return fmt.Errorf("spec %q has the unknown level %q", spec.ID, spec.Level)
		}
		for _, evidence := range spec.Evidence {
			if !known(evidence.Level) {
				return fmt.Errorf("spec %q has evidence of the unknown level %q", spec.ID, evidence.Level)
			}
		}
		specs[spec.ID] = true
	}
	return nil
}

func known(level Level) bool {
	return level == LevelTraffic || level == LevelConfig || level == LevelAPI
}

// write replaces a file by renaming a complete one over it.
func write(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = file.Write(data); err != nil {
		return err
	}
	// CreateTemp gives 0600; reports are for everyone who may read the directory.
	if err = file.Chmod(0o644); err != nil {
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
