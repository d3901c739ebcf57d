package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// equivalents are the settings that an IstioOperator has a field for and Helm's values another.
var equivalents = []struct{ values, operator string }{
	{"meshConfig", "meshConfig"},
	{"revision", "revision"},
	{"global.hub", "hub"},
	{"global.tag", "tag"},
	{"global.istioNamespace", "namespace"},
	{"pilot.resources", "components.pilot.k8s.resources"},
	{"pilot.replicaCount", "components.pilot.k8s.replicaCount"},
	{"pilot.podAnnotations", "components.pilot.k8s.podAnnotations"},
	{"pilot.nodeSelector", "components.pilot.k8s.nodeSelector"},
	{"pilot.tolerations", "components.pilot.k8s.tolerations"},
	{"pilot.affinity", "components.pilot.k8s.affinity"},
	{"cni.resources", "components.cni.k8s.resources"},
}

// The environment of istiod is a mapping in Helm's values and a list in an IstioOperator.
const (
	valuesEnv   = "pilot.env"
	operatorEnv = "components.pilot.k8s.env"
)

func split(path string) []string { return strings.Split(path, ".") }

// canonical says everything in an IstioOperator's spec in one way, with the fields of the IstioOperator where it has
// one, so that two specs can be compared.
func canonical(spec tree) tree {
	for _, same := range equivalents {
		from := append([]string{"values"}, split(same.values)...)
		if value, found := at(spec, from...); found {
			spec = drop(spec, from...)
			// The field wins over the value, as in istioctl.
			if above, both := at(spec, split(same.operator)...); both {
				value = merged(value, above)
			}
			spec = set(spec, value, split(same.operator)...)
		}
	}
	from := append([]string{"values"}, split(valuesEnv)...)
	if value, found := at(spec, from...); found {
		if variables, ok := value.(tree); ok {
			spec = drop(spec, from...)
			var list any = listed(variables)
			if above, both := at(spec, split(operatorEnv)...); both {
				list = merged(list, above)
			}
			if len(variables) > 0 {
				spec = set(spec, list, split(operatorEnv)...)
			}
		}
	}
	return spec
}

// listed is an environment as Kubernetes has it, in the order of the names.
func listed(variables tree) []any {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		list = append(list, tree{"name": name, "value": shown(variables[name])})
	}
	return list
}

// Values are the builder's own.
type Values struct {
	spec tree
	// raw is the spec as it was written.
	raw tree
}

// operatorKind marks a file of values as an IstioOperator.
const operatorKind = "IstioOperator"

// ParseValues reads installation values: an IstioOperator, told by its kind, or Helm values of the istiod chart.
// where is the file for messages. Anything else is an error of usage in one line.
func ParseValues(content []byte, where string) (*Values, error) {
	if err := kindconfig.OneDocument(content); err != nil {
		return nil, problem.Usage("the installation values are malformed: "+err.Error(), where, "keep one document")
	}
	decoded, err := parseTree(content)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, problem.Usage("the installation values are not YAML with one mapping: "+reason, where, "correct the file")
	}
	if len(decoded) == 0 {
		return nil, problem.Usage("the installation values are empty", where, "leave out --values")
	}
	kind, hasKind := decoded["kind"]
	version, hasVersion := decoded["apiVersion"]
	if !hasKind && !hasVersion {
		spec := tree{"values": decoded}
		if err := fitsAPI(spec, where, false); err != nil {
			return nil, err
		}
		return &Values{spec: canonical(spec), raw: spec}, nil
	}
	if kind != operatorKind {
		return nil, problem.Usage(
			fmt.Sprintf("the installation values are of apiVersion %v and kind %v", version, kind), where,
			"give an IstioOperator, or Helm values, which have neither")
	}
	for key := range decoded {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, key) {
			return nil, problem.Usage(fmt.Sprintf("the IstioOperator has the unknown field %q", key), where,
				"put settings below spec")
		}
	}
	spec, ok := decoded["spec"].(tree)
	if !ok || len(spec) == 0 {
		return nil, problem.Usage("the IstioOperator has no spec", where, "give it one, or leave out --values")
	}
	for _, field := range []string{"components", "meshConfig", "values"} {
		if value, found := spec[field]; found {
			if _, mapping := value.(tree); !mapping {
				what := fmt.Sprintf("spec.%s of the IstioOperator is %s, which is no mapping", field, shown(value))
				return nil, problem.Usage(what, where, "correct the file")
			}
		}
	}
	if err := fitsAPI(spec, where, false); err != nil {
		return nil, err
	}
	if space, found := at(decoded, "metadata", "namespace"); found {
		spec = set(spec, space, "namespace")
	}
	return &Values{spec: canonical(spec), raw: spec}, nil
}

// under is the part of the values that goes below a control plane's own spec, which has a profile. Components beside
// istiod are installed once, with the default revision.
func (v *Values) under(own tree) tree {
	spec := drop(v.spec, "profile")
	if revision, _ := own["revision"].(string); revision == "" {
		return spec
	}
	components, _ := spec["components"].(tree)
	for name := range components {
		if name != "pilot" {
			spec = drop(spec, "components", name)
		}
	}
	return spec
}

// setting is a path of an IstioOperator's spec with the suite's value, as messages show it.
type setting struct{ path, ours string }

// reserved lists the settings that the suite fixes for every control plane, each with its value.
var reserved = []setting{
	{"profile", "minimal"},
	{"hub", "that of the subject's images"},
	{"tag", "that of the subject's images"},
	{"revision", "one of its own for each control plane"},
	{"values.defaultRevision", "one of its own for each control plane"},
	{"values.global.imagePullPolicy", "Never"},
	{"namespace", namespace},
	{"components.pilot.namespace", namespace},
	{"components.pilot.k8s.imagePullPolicy", "Never"},
	{"components.cni.k8s.imagePullPolicy", "Never"},
	{"values.cni.pullPolicy", "Never"},
	{"values.global.proxy.image", "proxyv2"},
	{"values.global.proxy_init.image", "proxyv2"},
	{"values.pilot.image", "pilot"},
	{"values.cni.image", "install-cni"},
	{"meshConfig.defaultConfig.image", "none"},
}

// imageKeys are the keys, at any place below components and values, that choose an image.
var imageKeys = []string{"hub", "tag", "image", "variant"}

// freeKeys are the keys of mappings whose keys mean nothing to Istio's charts.
var freeKeys = []string{"env", "label", "nodeSelector", "podAnnotations", "podLabels", "serviceAnnotations"}

// proxyImage is the annotation that chooses the image of an injected proxy.
const proxyImage = "sidecar.istio.io/proxyImage"

// chosenImages finds every place below a path that chooses an image of its own.
func chosenImages(path string, value any) []Conflict {
	var found []Conflict
	choose := func(at string, value any) {
		found = append(found, Conflict{
			Path: at, Theirs: shown(value), Ours: "that of the subject's images", Plane: "every control plane",
		})
	}
	switch of := value.(type) {
	case tree:
		for _, key := range slices.Sorted(maps.Keys(of)) {
			at := join(path, key)
			switch _, below := of[key].(tree); {
			case key == proxyImage, slices.Contains(imageKeys, key) && !below && text(of[key]) != "":
				choose(at, of[key])
			case slices.Contains(freeKeys, key):
			// A patch says in its path what it sets.
			case key == "path" && of["value"] != nil:
				if parts := elements(shown(of[key])); parts[len(parts)-1] == "image" {
					choose(path, of["value"])
				}
			default:
				found = append(found, chosenImages(at, of[key])...)
			}
		}
	case []any:
		for i, element := range of {
			name := nameOf(element)
			if name == "" {
				name = strconv.Itoa(i)
			}
			found = append(found, chosenImages(path+"["+name+"]", element)...)
		}
	}
	return found
}

// namespace is where the suite installs control planes.
const namespace = "istio-system"

// Conflicts lists where the values contradict what the suite sets, for any control plane of the subject and any proxy.
func (v *Values) Conflicts() ([]Conflict, error) {
	var found []Conflict
	for _, own := range reserved {
		if value, set := at(v.spec, split(own.path)...); set && shown(value) != own.ours && shown(value) != "" {
			found = append(found, Conflict{Path: own.path, Theirs: shown(value), Ours: own.ours, Plane: "every control plane"})
		}
	}
	for _, part := range []string{"components", "values"} {
		for _, chosen := range chosenImages(part, v.spec[part]) {
			if !slices.ContainsFunc(reserved, func(own setting) bool { return own.path == chosen.Path }) {
				found = append(found, chosen)
			}
		}
	}
	switches, err := absences()
	if err != nil {
		return nil, err
	}
	for _, name := range subjectNames() {
		content, err := parseTree(Operator(name))
		if err != nil {
			return nil, fmt.Errorf("suites/controlplane/%s.yaml: %w", name, err)
		}
		spec, ok := content["spec"].(tree)
		if !ok {
			return nil, fmt.Errorf("suites/controlplane/%s.yaml has no spec", name)
		}
		spec = canonical(spec)
		if ofSubject[name] != NoProxies {
			for _, switched := range switches {
				spec = merged(spec, switched.Spec).(tree)
			}
		}
		for _, conflict := range conflicts("", v.under(spec), spec) {
			if !slices.ContainsFunc(found, func(known Conflict) bool { return known.Path == conflict.Path }) {
				conflict.Plane = "control plane " + name
				found = append(found, conflict)
			}
		}
	}
	return found, nil
}

// CheckValues reads installation values and returns an error of usage, in one line, for values that contradict the
// suite's: the first place with both values, and the paths of the others.
//
// known says that the subject's values are those of Istio 1.20 and that istioctl installs them, so that a value which
// that release lacks cannot be installed.
func CheckValues(content []byte, where string, known bool) error {
	values, err := ParseValues(content, where)
	if err != nil {
		return err
	}
	if err := fitsAPI(values.raw, where, known); err != nil {
		return err
	}
	if err := installable(values.spec, where); err != nil {
		return err
	}
	found, err := values.Conflicts()
	if err != nil || len(found) == 0 {
		return err
	}
	first := found[0]
	what := fmt.Sprintf("spec.%s is %s in the installation values, and the suite sets %s (%s)",
		first.Path, first.Theirs, first.Ours, first.Plane)
	if len(found) > 1 {
		var others []string
		for _, conflict := range found[1:] {
			others = append(others, "spec."+conflict.Path)
		}
		what += "; likewise " + strings.Join(others, ", ")
	}
	return problem.Usage(what, where, "take it out of the file")
}

// subjectNames lists the files of the subject's control planes, the default one first.
func subjectNames() []string {
	names := slices.Sorted(maps.Keys(ofSubject))
	first := slices.Index(names, "dataplane")
	return append([]string{"dataplane"}, slices.Delete(names, first, first+1)...)
}
