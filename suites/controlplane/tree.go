package controlplane

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// tree is a decoded YAML mapping. Its values are trees, lists ([]any), strings, booleans, int64, float64 or nil.
type tree = map[string]any

// parseTree decodes a YAML mapping; keys that stand twice are an error.
func parseTree(content []byte) (tree, error) {
	var decoded tree
	if err := yaml.UnmarshalStrict(content, &decoded); err != nil {
		return nil, err
	}
	if decoded == nil {
		decoded = tree{}
	}
	return whole(decoded).(tree), nil
}

// whole turns the whole numbers of a tree, which the decoder makes float64, into int64: charts print them.
func whole(value any) any {
	switch of := value.(type) {
	case tree:
		for key, element := range of {
			of[key] = whole(element)
		}
	case []any:
		for i, element := range of {
			of[i] = whole(element)
		}
	case float64:
		if of == math.Trunc(of) && math.Abs(of) < 1<<53 {
			return int64(of)
		}
	}
	return value
}

// merged lays one value over another and changes neither. Mappings are joined key by key, lists whose elements have
// names element by element; anything else of above replaces what is below.
func merged(below, above any) any {
	switch over := above.(type) {
	case tree:
		under, ok := below.(tree)
		if !ok {
			return over
		}
		joined := maps.Clone(under)
		for key, value := range over {
			joined[key] = value
			if lower, found := under[key]; found {
				joined[key] = merged(lower, value)
			}
		}
		return joined
	case []any:
		under, ok := below.([]any)
		if !ok || !named(under) || !named(over) {
			return over
		}
		joined := slices.Clone(under)
		for _, element := range over {
			i := slices.IndexFunc(joined, func(other any) bool { return nameOf(other) == nameOf(element) })
			if i < 0 {
				joined = append(joined, element)
				continue
			}
			joined[i] = merged(joined[i], element)
		}
		return joined
	}
	return above
}

// named reports whether every element of a list is a mapping with a name.
func named(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(element any) bool { return nameOf(element) == "" })
}

func nameOf(element any) string {
	of, _ := element.(tree)
	// Patches of overlays are of an object, by kind and name.
	kind, _ := of["kind"].(string)
	name, _ := of["name"].(string)
	if kind != "" && name != "" {
		return kind + "/" + name
	}
	return name
}

// Conflict is a place where the builder's value contradicts what the suite sets.
type Conflict struct {
	// Path of the value in an IstioOperator's spec, for example meshConfig.defaultConfig.concurrency.
	Path string
	// Theirs is the builder's value, Ours the suite's, both as they are shown.
	Theirs, Ours string
	// Plane says which control plane the suite sets the value for, for example "control plane stock".
	Plane string
}

// conflicts returns the paths that both trees set to different values.
func conflicts(at string, theirs, ours any) []Conflict {
	switch mine := ours.(type) {
	case tree:
		their, ok := theirs.(tree)
		if !ok {
			break
		}
		var found []Conflict
		for _, key := range slices.Sorted(maps.Keys(mine)) {
			if value, both := their[key]; both {
				found = append(found, conflicts(join(at, key), value, mine[key])...)
			}
		}
		return found
	case []any:
		their, ok := theirs.([]any)
		if !ok || !named(mine) || !named(their) {
			break
		}
		var found []Conflict
		for _, element := range their {
			i := slices.IndexFunc(mine, func(other any) bool { return nameOf(other) == nameOf(element) })
			if i >= 0 {
				found = append(found, conflicts(at+"["+nameOf(element)+"]", element, mine[i])...)
			}
		}
		return found
	}
	if shown(theirs) == shown(ours) {
		return nil
	}
	return []Conflict{{Path: at, Theirs: shown(theirs), Ours: shown(ours)}}
}

func join(at, key string) string {
	if strings.Contains(key, ".") {
		key = strconv.Quote(key)
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

// shown is a value in one line. Istio's API takes "false" for false.
func shown(value any) string {
	switch value.(type) {
	case tree, []any:
		content, err := yaml.Marshal(value)
		if err != nil {
			return fmt.Sprint(value)
		}
		compact, err := yaml.YAMLToJSON(content)
		if err != nil {
			return fmt.Sprint(value)
		}
		return string(compact)
	}
	return fmt.Sprint(value)
}

// at reads a value by its path; found is false where a part of the path is missing.
func at(of tree, path ...string) (value any, found bool) {
	value = of
	for _, key := range path {
		level, ok := value.(tree)
		if !ok {
			return nil, false
		}
		if value, found = level[key]; !found {
			return nil, false
		}
	}
	return value, true
}

// set returns a copy of a tree with a value at a path.
func set(of tree, value any, path ...string) tree {
	for i := len(path) - 1; i >= 0; i-- {
		value = tree{path[i]: value}
	}
	return merged(of, value).(tree)
}

// drop returns a copy of a tree without what is at a path, and without mappings that become empty by that.
func drop(of tree, path ...string) tree {
	level, ok := of[path[0]]
	if !ok {
		return of
	}
	rest := maps.Clone(of)
	if len(path) > 1 {
		below, ok := level.(tree)
		if !ok {
			return of
		}
		if below = drop(below, path[1:]...); len(below) > 0 {
			rest[path[0]] = below
			return rest
		}
	}
	delete(rest, path[0])
	return rest
}
