package kindconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Listing is what the suite holds, as a dry run of it writes it for the driver.
type Listing struct {
	// Rows are those of the catalogue, in its order.
	Rows []ListedRow `json:"rows"`
	// Problems are faults of the suite or its lists that would fail every run.
	Problems []string `json:"problems,omitempty"`
}

// ListedRow is a promise of the release and what shows it.
type ListedRow struct {
	ID    string       `json:"id"`
	Title string       `json:"title"`
	Specs []ListedSpec `json:"specs"`
}

// ListedSpec is a spec, whether the filters select it or not.
type ListedSpec struct {
	// ID stays when the spec's sentence changes. A label filter that is an id selects the spec.
	ID   string `json:"id"`
	Name string `json:"name"`
	// FullName is what a focus is matched against, Labels, beside the id, what a label filter is.
	FullName string   `json:"fullName"`
	Labels   []string `json:"labels"`
	Selected bool     `json:"selected"`
	// Since and Until are the first release with the promise and the first one without it; empty where there is none.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// KnownDefect and Exemption stand in the lists for this spec.
	KnownDefect *ListedEntry `json:"knownDefect,omitempty"`
	Exemption   *ListedEntry `json:"exemption,omitempty"`
}

// ListedEntry is an entry of one of the suite's own lists. A known defect has the fields from Affected on (see
// KnownDefect), an exemption has For: what it holds for, in words.
type ListedEntry struct {
	Reason   string   `json:"reason"`
	Link     string   `json:"link"`
	For      []string `json:"for,omitempty"`
	Affected string   `json:"affected,omitempty"`
	Fixed    string   `json:"fixed,omitempty"`
	Severity Severity `json:"severity,omitempty"`
}

// Selected counts the specs that the filters select.
func (l *Listing) Selected() int {
	count := 0
	for _, row := range l.Rows {
		for _, spec := range row.Specs {
			if spec.Selected {
				count++
			}
		}
	}
	return count
}

// Total counts all specs.
func (l *Listing) Total() int {
	count := 0
	for _, row := range l.Rows {
		count += len(row.Specs)
	}
	return count
}

// Save writes the listing.
func (l *Listing) Save(path string) error {
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

// LoadListing reads what Save wrote.
func LoadListing(path string) (*Listing, error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	var listing Listing
	if err := json.Unmarshal(content, &listing); err != nil {
		return nil, err
	}
	return &listing, nil
}
