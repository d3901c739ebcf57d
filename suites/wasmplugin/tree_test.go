package wasmplugin

import (
	"testing"

	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/catalogue/rowtest"
)

func TestEverySpecNamesItsRow(t *testing.T) { rowtest.Check(t, catalogue.WasmPlugin) }
