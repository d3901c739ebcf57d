package controlplane

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

// What can install control planes.
const (
	ByIstioctl = "istioctl"
	ByHelm     = "helm"
)

// Installers lists what can install control planes.
func Installers() []string { return []string{ByIstioctl, ByHelm} }

// Charts is an IstioOperator translated for Istio's Helm charts. A chart whose values are nil is not installed.
type Charts struct {
	Base, Istiod, CNI map[string]any
	// CNINamespace is where the chart of istio-cni is installed.
	CNINamespace string
	// Patches change the manifests that the istiod chart renders, for what its values cannot say.
	Patches []Patch
}

// Patch sets one value in a rendered object.
type Patch struct {
	Kind, Name string
	// Path of the value; an element of a list is [name:discovery] or, in a list of strings, [the string].
	Path  []string
	Value any
}

// Profile reads a profile of istioctl by its name, for example openshift.
type Profile func(name string) ([]byte, error)

// inValues are the profiles whose settings the charts have by default.
var inValues = []string{"", "default", "minimal"}

// ToHelm translates an IstioOperator into values of Istio's charts. A field that the charts have no counterpart for
// is an error of usage that names it.
func ToHelm(operator []byte, profile Profile) (*Charts, error) {
	content, err := parseTree(operator)
	if err != nil {
		return nil, fmt.Errorf("the operator file: %w", err)
	}
	spec, ok := content["spec"].(tree)
	if !ok {
		return nil, fmt.Errorf("the operator file has no spec")
	}
	name, _ := spec["profile"].(string)
	if !slices.Contains(inValues, name) {
		text, err := profile(name)
		if err != nil {
			return nil, problem.Usage(fmt.Sprintf("the profile %s cannot be read: %v", name, err), "--install helm",
				"give charts that have it, or install with istioctl")
		}
		below, err := parseTree(text)
		if err != nil {
			return nil, fmt.Errorf("the profile %s: %w", name, err)
		}
		if under, ok := below["spec"].(tree); ok {
			spec = merged(under, spec).(tree)
		}
	}
	t := translation{revision: text(spec["revision"])}
	return t.charts(canonical(spec))
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return shown(value)
}

// translation of one IstioOperator.
type translation struct {
	revision string
	values   tree
	patches  []Patch
	cni      bool
	cniSpace string
	base     bool
}

// without a counterpart.
func unknown(path string) error {
	return problem.Usage("spec."+path+" has no counterpart in Istio's Helm charts", "--install helm",
		"take it out of the values, or install with istioctl")
}

func (t *translation) charts(spec tree) (*Charts, error) {
	t.values, t.base, t.cniSpace = tree{}, true, namespace
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		var err error
		switch field {
		case "profile":
		case "values":
			if own, ok := spec[field].(tree); ok {
				t.values = merged(own, t.values).(tree)
			}
		case "revision", "hub", "tag", "namespace", "meshConfig":
			t.fromOperator(field, spec[field])
		case "components":
			err = t.components(spec[field])
		default:
			err = unknown(field)
		}
		if err != nil {
			return nil, err
		}
	}
	charts := &Charts{Istiod: t.values, CNINamespace: t.cniSpace, Patches: t.patches}
	if t.base {
		charts.Base = set(t.values, "default", "defaultRevision")
	}
	if t.cni {
		charts.CNI = t.values
	}
	return charts, nil
}

// fromOperator sets the value that is the same as a field of the IstioOperator, and reports whether there is one.
func (t *translation) fromOperator(field string, value any) bool {
	for _, same := range equivalents {
		if same.operator == field {
			t.values = set(t.values, value, split(same.values)...)
			return true
		}
	}
	return false
}

func (t *translation) components(value any) error {
	components, ok := value.(tree)
	if !ok {
		return unknown("components")
	}
	for _, name := range slices.Sorted(maps.Keys(components)) {
		path := "components." + name
		if name == "ingressGateways" || name == "egressGateways" {
			if err := noGateway(path, components[name]); err != nil {
				return err
			}
			continue
		}
		fields, ok := components[name].(tree)
		if !ok || !slices.Contains([]string{"base", "pilot", "cni"}, name) {
			return unknown(path)
		}
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if err := t.field(name, field, fields[field]); err != nil {
				return err
			}
		}
	}
	return nil
}

// noGateway accepts gateways that are off: the chart of a gateway is not installed.
func noGateway(path string, value any) error {
	list, _ := value.([]any)
	for _, element := range list {
		if gateway, _ := element.(tree); gateway["enabled"] != false {
			return unknown(path + "[" + nameOf(element) + "]")
		}
	}
	return nil
}

// field translates a field of a component.
func (t *translation) field(component, field string, value any) error {
	path := "components." + component + "." + field
	switch {
	case field == "enabled" && component == "base":
		t.base = value != false
	case field == "enabled" && component == "cni":
		t.cni = value == true
	case field == "enabled" && component == "pilot" && value == true:
	case field == "namespace" && component == "cni":
		t.cniSpace = text(value)
	case field == "k8s":
		settings, ok := value.(tree)
		if !ok {
			return unknown(path)
		}
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			if err := t.setting(path+"."+key, component, key, settings[key]); err != nil {
				return err
			}
		}
	default:
		return unknown(path)
	}
	return nil
}

// setting translates a Kubernetes setting of a component.
func (t *translation) setting(path, component, key string, value any) error {
	deployment := "istiod"
	if t.revision != "" {
		deployment += "-" + t.revision
	}
	switch {
	case path == operatorEnv:
		return t.env(path, value)
	case component == "pilot" && key == "podAnnotations":
		annotations, ok := value.(tree)
		if !ok {
			return unknown(path)
		}
		// The chart writes its own and the given ones into one mapping, where a key may stand once.
		for _, name := range slices.Sorted(maps.Keys(annotations)) {
			t.patches = append(t.patches, Patch{
				Kind: "Deployment", Name: deployment,
				Path: []string{"spec", "template", "metadata", "annotations", name}, Value: annotations[name],
			})
		}
	case component == "pilot" && key == "overlays":
		return t.overlays(path, value)
	default:
		if !t.fromOperator(path, value) {
			return unknown(path)
		}
	}
	return nil
}

// env translates a list of variables.
func (t *translation) env(path string, value any) error {
	list, _ := value.([]any)
	variables := tree{}
	for _, element := range list {
		variable, _ := element.(tree)
		if _, plain := variable["value"]; !plain || nameOf(element) == "" {
			return unknown(path + "[" + nameOf(element) + "]")
		}
		variables[nameOf(element)] = text(variable["value"])
	}
	if len(variables) > 0 {
		t.values = set(t.values, variables, split(valuesEnv)...)
	}
	return nil
}

// overlays translates patches of rendered objects.
func (t *translation) overlays(path string, value any) error {
	var overlays []struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Patches    []struct {
			Path  string `json:"path"`
			Value any    `json:"value"`
		} `json:"patches"`
	}
	content, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(content, &overlays); err != nil {
		return problem.Usage(fmt.Sprintf("spec.%s is malformed: %v", path, err), "--install helm", "correct it")
	}
	for _, overlay := range overlays {
		for _, patch := range overlay.Patches {
			t.patches = append(t.patches, Patch{
				Kind: overlay.Kind, Name: overlay.Name, Path: elements(patch.Path), Value: whole(patch.Value),
			})
		}
	}
	return nil
}

// elements splits a path at its dots outside of brackets. A dot after a backslash belongs to its element.
func elements(path string) []string {
	var parts []string
	var element strings.Builder
	depth := 0
	for i := 0; i < len(path); i++ {
		switch letter := path[i]; {
		case letter == '\\' && i+1 < len(path) && path[i+1] == '.':
			element.WriteByte('.')
			i++
			continue
		case letter == '[':
			depth++
		case letter == ']':
			depth--
		case letter == '.' && depth == 0:
			parts = append(parts, element.String())
			element.Reset()
			continue
		}
		element.WriteByte(path[i])
	}
	return append(parts, element.String())
}

// CheckHelm returns an error of usage, in one line, for installation values that Istio's Helm charts cannot have.
func CheckHelm(content []byte, where string) error {
	values, err := ParseValues(content, where)
	if err != nil {
		return err
	}
	operator, err := yaml.Marshal(tree{"spec": drop(values.spec, "profile")})
	if err != nil {
		return err
	}
	_, err = ToHelm(operator, func(string) ([]byte, error) { return nil, fmt.Errorf("no profile is asked for") })
	return err
}

// ProfileBeside reads profiles from the folder that stands beside a folder of charts, as in Istio's releases.
func ProfileBeside(charts string) Profile {
	return func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(filepath.Clean(charts)), "profiles", filepath.Base(name)+".yaml"))
	}
}
