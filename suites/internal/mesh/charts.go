package mesh

import (
	"path/filepath"

	"mesh-conformance/kindconfig"
)

// manifests are the flags that make istioctl install the subject's charts where it carries other ones.
func manifests(cell *kindconfig.Cell) []string {
	if !cell.ChartsApart {
		return nil
	}
	return []string{"--manifests", filepath.Dir(cell.Charts)}
}
