// Package controlplane holds what the suite's control planes are installed with, as IstioOperator files, and puts it
// together with the builder's own values and with what proxies cannot do. It reads no cluster: the driver judges values
// with it, and the suite installs with it.
package controlplane

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
)

//go:embed *.yaml
var files embed.FS

// withoutFile is the one file here that is no IstioOperator.
const withoutFile = "without.yaml"

// Proxies says whose proxies a control plane configures.
type Proxies int

const (
	// NoProxies is said of a control plane that xDS clients and dry runs query only, and of one whose file settles by
	// itself what its proxies are asked.
	NoProxies Proxies = iota
	// SubjectProxies means that the control plane configures only proxies of the subject.
	SubjectProxies
	// AllProxies are the subject's and those of the releases around it, which an upgrade leads from and to.
	AllProxies
)

// ofSubject lists the files of control planes of the subject, and whose proxies they configure.
var ofSubject = map[string]Proxies{
	"dataplane": SubjectProxies, "stock": NoProxies, "alias": NoProxies, "switched": NoProxies, "native": NoProxies,
	"openshift": SubjectProxies, "openshift-unset": NoProxies, "rotation": SubjectProxies, "upgrade": AllProxies,
}

// Operator returns the IstioOperator file of a name, for example dataplane. It panics where there is none: the names
// are part of the program.
func Operator(name string) []byte {
	content, err := files.ReadFile(name + ".yaml")
	if err != nil {
		panic(err)
	}
	return content
}

// Names lists the IstioOperator files, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the embedded root is always there
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != withoutFile {
			names = append(names, strings.TrimSuffix(entry.Name(), path.Ext(entry.Name())))
		}
	}
	slices.Sort(names)
	return names
}

// Compose puts an IstioOperator together: the builder's values at the bottom, nil where there are none, over them what
// the suite sets, over that what the proxies of the cell cannot do.
func Compose(operator []byte, values *Values, cell *kindconfig.Cell, proxies Proxies) ([]byte, error) {
	content, err := parseTree(operator)
	if err != nil {
		return nil, fmt.Errorf("the operator file: %w", err)
	}
	spec, ok := content["spec"].(tree)
	if !ok {
		return nil, fmt.Errorf("the operator file has no spec")
	}
	spec = canonical(spec)
	if values != nil {
		spec = merged(values.under(spec), spec).(tree)
	}
	switches, err := without(cell, proxies)
	if err != nil {
		return nil, err
	}
	for _, switched := range switches {
		spec = merged(spec, switched).(tree)
	}
	content["spec"] = spec
	return yaml.Marshal(content)
}

// absence is an entry of without.yaml.
type absence struct {
	// Extensions that the proxy needs for what Spec switches off.
	Extensions []string `json:"extensions"`
	Spec       tree     `json:"spec"`
}

func absences() ([]absence, error) {
	content, err := files.ReadFile(withoutFile)
	if err != nil {
		return nil, err
	}
	var list []absence
	if err := yaml.UnmarshalStrict(content, &list); err != nil {
		return nil, fmt.Errorf("suites/controlplane/%s: %w", withoutFile, err)
	}
	return list, nil
}

// without gives the parts of an IstioOperator's spec that switch off what the proxies cannot do. A proxy whose
// extensions were not read is taken for upstream's. A release that does not exist has no proxy.
func without(cell *kindconfig.Cell, proxies Proxies) ([]tree, error) {
	var of [][]string
	switch proxies {
	case NoProxies:
		return nil, nil
	case SubjectProxies:
		of = [][]string{cell.ProxyExtensions}
	case AllProxies:
		of = [][]string{cell.ProxyExtensions}
		if cell.Before.Exists() {
			of = append(of, cell.BeforeExtensions)
		}
		if cell.After.Exists() {
			of = append(of, cell.AfterExtensions)
		}
	}
	list, err := absences()
	if err != nil {
		return nil, err
	}
	var specs []tree
	for _, entry := range list {
		lacks := func(extensions []string) bool {
			return slices.ContainsFunc(entry.Extensions, func(needed string) bool {
				return !slices.Contains(extensions, needed)
			})
		}
		if slices.ContainsFunc(of, lacks) {
			specs = append(specs, entry.Spec)
		}
	}
	return specs, nil
}
