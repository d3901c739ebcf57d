package images

import (
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strings"

	"sigs.k8s.io/gateway-api/conformance"
)

var imageLine = regexp.MustCompile(`(?m)^\s*image:\s*(\S+)\s*$`)

// conformanceReferences are the images that upstream's embedded conformance manifests name.
func conformanceReferences() ([]string, error) {
	found := map[string]bool{}
	err := fs.WalkDir(conformance.Manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		content, err := conformance.Manifests.ReadFile(path)
		for _, match := range imageLine.FindAllSubmatch(content, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the conformance manifests: %w", err)
	}
	references := make([]string, 0, len(found))
	for reference := range found {
		references = append(references, reference)
	}
	sort.Strings(references)
	return references, nil
}

func matching(references []string, part string) []string {
	var found []string
	for _, reference := range references {
		if strings.Contains(reference, part) {
			found = append(found, reference)
		}
	}
	return found
}
