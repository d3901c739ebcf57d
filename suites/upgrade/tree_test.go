package upgrade

import (
	"testing"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/catalogue/rowtest"
)

// Both leaps run the same steps: reports tell specs apart by the row and the last part of the name.
func TestEverySpecNamesItsRowAndIsToldApart(t *testing.T) { rowtest.CheckLeaves(t, catalogue.Upgrade) }
