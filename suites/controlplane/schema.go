package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	values "istio.io/istio/operator/pkg/apis/istio/v1alpha1"
	core "k8s.io/api/core/v1"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

// operatorSpec has the fields of an IstioOperator's spec (istio.io/api 1.20, operator/v1alpha1/operator.proto). That
// package's own type cannot be decoded beside this module's Kubernetes API, whose types are no protobuf messages.
type operatorSpec struct {
	Profile            string         `json:"profile"`
	InstallPackagePath string         `json:"installPackagePath"`
	Hub                string         `json:"hub"`
	Tag                any            `json:"tag"`
	ResourceSuffix     string         `json:"resourceSuffix"`
	Namespace          string         `json:"namespace"`
	Revision           string         `json:"revision"`
	DefaultRevision    bool           `json:"defaultRevision"`
	MeshConfig         map[string]any `json:"meshConfig"`
	Components         *componentSet  `json:"components"`
	AddonComponents    map[string]any `json:"addonComponents"`
	Values             map[string]any `json:"values"`
	UnvalidatedValues  map[string]any `json:"unvalidatedValues"`
}

type componentSet struct {
	Base struct {
		Enabled *bool       `json:"enabled"`
		K8s     k8sSettings `json:"k8s"`
	} `json:"base"`
	Pilot           component `json:"pilot"`
	CNI             component `json:"cni"`
	Ztunnel         component `json:"ztunnel"`
	IstiodRemote    component `json:"istiodRemote"`
	IngressGateways []gateway `json:"ingressGateways"`
	EgressGateways  []gateway `json:"egressGateways"`
}

type component struct {
	Enabled   *bool          `json:"enabled"`
	Namespace string         `json:"namespace"`
	Hub       string         `json:"hub"`
	Tag       any            `json:"tag"`
	Spec      map[string]any `json:"spec"`
	K8s       k8sSettings    `json:"k8s"`
}

type gateway struct {
	Enabled   *bool             `json:"enabled"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Label     map[string]string `json:"label"`
	Hub       string            `json:"hub"`
	Tag       any               `json:"tag"`
	K8s       k8sSettings       `json:"k8s"`
}

type k8sSettings struct {
	Affinity  *core.Affinity `json:"affinity"`
	Env       []core.EnvVar  `json:"env"`
	HpaSpec   map[string]any `json:"hpaSpec"`
	Resources struct {
		Limits   map[string]string `json:"limits"`
		Requests map[string]string `json:"requests"`
	} `json:"resources"`
	ImagePullPolicy     string                   `json:"imagePullPolicy"`
	NodeSelector        map[string]string        `json:"nodeSelector"`
	PodDisruptionBudget map[string]any           `json:"podDisruptionBudget"`
	PodAnnotations      map[string]string        `json:"podAnnotations"`
	PriorityClassName   string                   `json:"priorityClassName"`
	ReadinessProbe      map[string]any           `json:"readinessProbe"`
	ReplicaCount        uint32                   `json:"replicaCount"`
	Service             map[string]any           `json:"service"`
	Strategy            map[string]any           `json:"strategy"`
	Tolerations         []core.Toleration        `json:"tolerations"`
	ServiceAnnotations  map[string]string        `json:"serviceAnnotations"`
	SecurityContext     *core.PodSecurityContext `json:"securityContext"`
	Volumes             []core.Volume            `json:"volumes"`
	VolumeMounts        []core.VolumeMount       `json:"volumeMounts"`
	Overlays            []struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Patches    []struct {
			Path  string `json:"path"`
			Value any    `json:"value"`
		} `json:"patches"`
	} `json:"overlays"`
}

// decoder reports whether an API has the fields of a tree, and whether their values are of its types.
type decoder func(tree) (known, typed bool)

// decodeOperator compares a spec with the API of an IstioOperator.
func decodeOperator(spec tree) (known, typed bool) {
	content, err := asJSON(spec)
	if err != nil {
		return false, false
	}
	unknown, err := strictjson.UnmarshalStrict(content, &operatorSpec{})
	return len(unknown) == 0, err == nil
}

// decodeValues compares Helm values with those of Istio 1.20.
func decodeValues(of tree) (known, typed bool) {
	content, err := asJSON(inProtoJSON(of, (&values.Values{}).ProtoReflect().Descriptor()))
	if err != nil {
		return false, false
	}
	typed = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, &values.Values{}) == nil
	return !typed || protojson.Unmarshal(content, &values.Values{}) == nil, typed
}

// inProtoJSON returns settings as protojson reads them. Istio's own decoder takes durations in any unit, 30m, and whole
// numbers or strings, 25%, where Kubernetes does.
func inProtoJSON(of tree, message protoreflect.MessageDescriptor) tree {
	made := maps.Clone(of)
	for key, value := range of {
		field := message.Fields().ByJSONName(key)
		if field == nil {
			field = message.Fields().ByName(protoreflect.Name(key))
		}
		if field == nil || field.Message() == nil || field.IsMap() {
			continue
		}
		if list, ok := value.([]any); ok && field.IsList() {
			elements := make([]any, len(list))
			for i, element := range list {
				elements[i] = fieldInProtoJSON(element, field.Message())
			}
			made[key] = elements
			continue
		}
		if made[key] = fieldInProtoJSON(value, field.Message()); made[key] == nil {
			delete(made, key)
		}
	}
	return made
}

// fieldInProtoJSON is inProtoJSON of one value of a message's type; nil where the value is good and protojson would not
// read it.
func fieldInProtoJSON(value any, message protoreflect.MessageDescriptor) any {
	switch name := message.FullName(); name {
	case (&durationpb.Duration{}).ProtoReflect().Descriptor().FullName():
		said, _ := value.(string)
		if length, err := time.ParseDuration(said); err == nil {
			return strconv.FormatFloat(length.Seconds(), 'f', -1, 64) + "s"
		}
	case (&values.IntOrString{}).ProtoReflect().Descriptor().FullName():
		switch value.(type) {
		case string, int64:
			return nil
		}
	default:
		if below, ok := value.(tree); ok && !strings.HasPrefix(string(name), "google.protobuf.") {
			return inProtoJSON(below, message)
		}
	}
	return value
}

func asJSON(of tree) ([]byte, error) {
	content, err := yaml.Marshal(of)
	if err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(content)
}

// misfit finds the deepest path of a tree that an API does not have, or has with another type; it is empty where the
// tree fits. strict makes unknown fields a misfit.
func misfit(of tree, decode decoder, strict bool) (path []string, value any, typed bool) {
	fits := func(part tree) bool {
		known, typed := decode(part)
		return typed && (known || !strict)
	}
	if fits(of) {
		return nil, nil, true
	}
	value = of
	for {
		level, ok := value.(tree)
		deeper := ""
		if ok {
			for _, key := range slices.Sorted(maps.Keys(level)) {
				if !fits(nested(level[key], append(slices.Clone(path), key)...)) {
					deeper = key
					break
				}
			}
		}
		if deeper == "" {
			_, typed = decode(nested(value, path...))
			return path, value, typed
		}
		path, value = append(path, deeper), level[deeper]
		if !fits(nested(tree{}, path...)) {
			_, typed = decode(nested(value, path...))
			return path, value, typed
		}
	}
}

// nested is a tree with nothing but a value at a path.
func nested(value any, path ...string) tree {
	for i := len(path) - 1; i >= 0; i-- {
		value = tree{path[i]: value}
	}
	of, _ := value.(tree)
	return of
}

// fitsAPI returns an error of usage for a spec with a field that the IstioOperator API lacks, or with a value of another
// type than the field's. strictValues refuses Helm values and settings of the mesh that Istio 1.20 lacks, too: a later
// release or a vendor's may have them.
func fitsAPI(spec tree, where string, strictValues bool) error {
	say := func(prefix string, path []string, value any, typed bool, what string) error {
		at := "spec"
		for _, key := range append(strings.FieldsFunc(prefix, func(r rune) bool { return r == '.' }), path...) {
			at = join(at, key)
		}
		if !typed {
			return problem.Usage(fmt.Sprintf("%s is %s, which is of the wrong type for %s", at, shown(value), what),
				where, "correct it")
		}
		return problem.Usage(fmt.Sprintf("%s is no field of %s", at, what), where, "take it out of the file")
	}
	if path, value, typed := misfit(spec, decodeOperator, true); path != nil {
		return say("", path, value, typed, "an IstioOperator")
	}
	for _, path := range []string{"meshConfig", "values.meshConfig"} {
		settings, _ := at(spec, split(path)...)
		if own, ok := settings.(tree); ok {
			if below, value, typed := misfit(own, decodeMesh, strictValues); below != nil {
				return say(path, below, value, typed, "the MeshConfig of Istio 1.20")
			}
		}
	}
	if own, ok := spec["values"].(tree); ok {
		if path, value, typed := misfit(own, decodeValues, strictValues); path != nil {
			return say("values", path, value, typed, "the Helm values of Istio 1.20")
		}
	}
	return nil
}

// wholly lists fields that the suite takes from nobody, each with the reason.
var wholly = map[string]string{
	"installPackagePath": "the charts are those of the subject",
	"unvalidatedValues":  "they cannot be compared with the suite's: put them below values",
	"addonComponents":    "the suite installs no addons",
	"resourceSuffix":     "istioctl never implemented it",
	"defaultRevision":    "the suite chooses the default revision",
}

// switched has the components without which the suite cannot run, and those that it cannot carry.
var switched = map[string]bool{
	"components.base.enabled": true, "components.pilot.enabled": true, "components.ztunnel.enabled": false,
	"components.istiodRemote.enabled": false, "values.pilot.enabled": true, "values.istiodRemote.enabled": false,
	"values.global.externalIstiod": false,
}

// installable returns an error of usage for a spec that the suite cannot install. spec is canonical.
func installable(spec tree, where string) error {
	for _, field := range slices.Sorted(maps.Keys(wholly)) {
		if _, set := spec[field]; set {
			return problem.Usage(fmt.Sprintf("spec.%s cannot be set: %s", field, wholly[field]), where,
				"take it out of the file")
		}
	}
	for _, path := range slices.Sorted(maps.Keys(switched)) {
		if value, set := at(spec, split(path)...); set && value != nil && value != switched[path] {
			return problem.Usage(fmt.Sprintf("spec.%s is %s, and the suite can install only with %v", path, shown(value),
				switched[path]), where, "take it out of the file")
		}
	}
	for _, kind := range []string{"ingressGateways", "egressGateways"} {
		list, _ := at(spec, "components", kind)
		gateways, _ := list.([]any)
		for _, gateway := range gateways {
			if of, _ := gateway.(tree); of["enabled"] == true {
				return problem.Usage(fmt.Sprintf("spec.components.%s[%s] is enabled, and the suite deploys no gateways but those "+
					"of its specs", kind, nameOf(gateway)), where, "take it out of the file")
			}
		}
	}
	return nil
}
