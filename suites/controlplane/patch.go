package controlplane

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// PatchManifest applies patches to the objects of a manifest. A patch whose object or path is not there is an error:
// the chart renders something else than the patch was written for.
func PatchManifest(manifest []byte, patches []Patch) ([]byte, error) {
	if len(patches) == 0 {
		return manifest, nil
	}
	var out bytes.Buffer
	done := make([]bool, len(patches))
	reader := kubeyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var object tree
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("the rendered manifest: %w", err)
		}
		if object == nil {
			continue
		}
		object = whole(object).(tree)
		name, _ := at(object, "metadata", "name")
		changed := false
		for i, patch := range patches {
			if object["kind"] != patch.Kind || name != patch.Name {
				continue
			}
			if _, err := patched(object, patch.Path, patch.Value); err != nil {
				return nil, fmt.Errorf("%s %s: %w", patch.Kind, patch.Name, err)
			}
			done[i], changed = true, true
		}
		if changed {
			if document, err = yaml.Marshal(object); err != nil {
				return nil, err
			}
		}
		out.WriteString("---\n")
		out.Write(document)
	}
	if i := slices.Index(done, false); i >= 0 {
		return nil, fmt.Errorf("the charts render no %s %s, which %s is to be set in",
			patches[i].Kind, patches[i].Name, strings.Join(patches[i].Path, "."))
	}
	return out.Bytes(), nil
}

// patched sets a value in an object, in place where it can, and returns what the object became. Keys of mappings that
// are missing are made; an element of a list must be there.
func patched(object any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	key := path[0]
	if list, ok := object.([]any); ok {
		i := slices.IndexFunc(list, func(element any) bool { return selects(key, element) })
		if i < 0 {
			return nil, fmt.Errorf("no element %s", key)
		}
		element, err := patched(list[i], path[1:], value)
		if err != nil {
			return nil, err
		}
		list[i] = element
		return list, nil
	}
	mapping, ok := object.(tree)
	if object == nil {
		mapping, ok = tree{}, true
	}
	if !ok || strings.HasPrefix(key, "[") {
		return nil, fmt.Errorf("%s leads into %s", key, shown(object))
	}
	below, err := patched(mapping[key], path[1:], value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	mapping[key] = below
	return mapping, nil
}

// selects reports whether [key:value] or [string] is said of an element.
func selects(selector string, element any) bool {
	inner := strings.TrimSuffix(strings.TrimPrefix(selector, "["), "]")
	if inner == selector {
		return false
	}
	if of, ok := element.(tree); ok {
		key, want, found := strings.Cut(inner, ":")
		return found && of[key] != nil && shown(of[key]) == want
	}
	return shown(element) == inner
}
