package catalogue

import (
	"slices"
	"testing"
)

func TestRowsAreUniqueAndTitled(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Rows() {
		if seen[row.ID] {
			t.Errorf("row %s is listed twice", row.ID)
		}
		seen[row.ID] = true
		if row.Title == "" {
			t.Errorf("row %s has no title", row.ID)
		}
		if got := ID(Label(row.ID)); got != row.ID {
			t.Errorf("ID(Label(%q)) = %q", row.ID, got)
		}
	}
}

func TestRowsGivesACopy(t *testing.T) {
	Rows()[0].ID = "changed"
	if Rows()[0].ID == "changed" {
		t.Error("a caller could change the catalogue")
	}
}

func TestRowOf(t *testing.T) {
	cases := []struct {
		labels []string
		want   string
		ok     bool
	}{
		{[]string{"slow", Mirroring}, "mirroring", true},
		{[]string{TargetRefTelemetry}, "targetref/telemetry", true},
		{[]string{"slow"}, "", false},
		{[]string{Mirroring, Upgrade}, "", false},
		{nil, "", false},
	}
	for _, c := range cases {
		row, ok := RowOf(c.labels)
		if ok != c.ok || (ok && row.ID != c.want) {
			t.Errorf("RowOf(%v) = %q, %v; want %q, %v", c.labels, row.ID, ok, c.want, c.ok)
		}
	}
}

func TestWithoutSmoke(t *testing.T) {
	var specs [][]string
	for _, row := range Rows() {
		specs = append(specs, []string{Label(row.ID), Smoke})
	}
	if missing := WithoutSmoke(specs); len(missing) != 0 {
		t.Errorf("every row has a spec with the label, but %v are reported", missing)
	}
	// A spec without the label, and a spec of two rows, cover no row.
	specs[0] = []string{Label(Rows()[0].ID)}
	specs[1] = append(specs[1], Mirroring)
	if missing, want := WithoutSmoke(specs), []string{Rows()[0].ID, Rows()[1].ID}; !slices.Equal(missing, want) {
		t.Errorf("reported %v, want %v", missing, want)
	}
}
