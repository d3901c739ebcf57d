package results

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Exemption says why a spec cannot be shown on some proxies, or on some versions of Kubernetes.
type Exemption struct {
	// Spec is the spec's id.
	Spec   string `json:"spec"`
	Reason string `json:"reason"`
	Link   string `json:"link"`
	// Flavours of proxy it holds for: upstream, istio.
	Flavours []string `json:"flavours,omitempty"`
	// Kubernetes lists the minor versions it holds for, for example 1.25. An entry names flavours or
	// versions; a cell of any of them is exempt.
	Kubernetes []string `json:"kubernetes,omitempty"`
}

// For lists what the exemption holds for.
func (e Exemption) For() []string {
	holdsFor := slices.Clone(e.Flavours)
	for _, minor := range e.Kubernetes {
		holdsFor = append(holdsFor, "Kubernetes "+minor)
	}
	return holdsFor
}

// KnownDefect says that the subject is known to fail a spec.
type KnownDefect struct {
	Spec   string `json:"spec"`
	Reason string `json:"reason"`
	Link   string `json:"link"`
	// Istio lists the versions of the subject that have the defect.
	Istio []string `json:"istio"`
	// Message must be part of the failure: another failure is not the known one.
	Message string `json:"message"`
}

var minorVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// Lists are the two data files beside the suite.
type Lists struct {
	Exemptions   []Exemption
	KnownDefects []KnownDefect
}

// ParseLists reads exemptions.yaml and known-defects.yaml. Every entry needs a spec, a reason, a link and
// what it holds for, a known defect also a message; no spec may stand twice.
func ParseLists(exemptions, knownDefects []byte) (*Lists, error) {
	var lists Lists
	if err := yaml.UnmarshalStrict(exemptions, &lists.Exemptions); err != nil {
		return nil, problem.Usage("malformed list: "+err.Error(), "suites/exemptions.yaml", "correct the file")
	}
	if err := yaml.UnmarshalStrict(knownDefects, &lists.KnownDefects); err != nil {
		return nil, problem.Usage("malformed list: "+err.Error(), "suites/known-defects.yaml", "correct the file")
	}
	seen := map[string]bool{}
	check := func(file, spec, reason, link string, holdsFor []string) error {
		switch {
		case spec == "" || reason == "" || link == "" || len(holdsFor) == 0:
			return problem.Usage(fmt.Sprintf("the entry for %q lacks a spec, a reason, a link or what it holds for", spec), file, "complete it")
		case seen[spec]:
			return problem.Usage(fmt.Sprintf("%s is listed twice", spec), file, "keep one entry")
		}
		seen[spec] = true
		return nil
	}
	for _, e := range lists.Exemptions {
		if err := check("suites/exemptions.yaml", e.Spec, e.Reason, e.Link, e.For()); err != nil {
			return nil, err
		}
		for _, asked := range e.Kubernetes {
			if !minorVersion.MatchString(asked) {
				return nil, problem.Usage(fmt.Sprintf("the entry for %q holds for Kubernetes %q, which is no minor version", e.Spec, asked),
					"suites/exemptions.yaml", "name one like 1.25")
			}
		}
	}
	for _, d := range lists.KnownDefects {
		if err := check("suites/known-defects.yaml", d.Spec, d.Reason, d.Link, d.Istio); err != nil {
			return nil, err
		}
		if strings.TrimSpace(d.Message) == "" {
			return nil, problem.Usage(fmt.Sprintf("the entry for %q lacks a message, so that it would excuse every failure",
				d.Spec),
				"suites/known-defects.yaml", "add the part of the failure that tells the defect")
		}
	}
	return &lists, nil
}

// defect finds the entry of a spec that holds for a version of the subject.
func (l *Lists) defect(spec, istio string) *KnownDefect {
	for i, d := range l.KnownDefects {
		if d.Spec == spec && slices.Contains(d.Istio, istio) {
			return &l.KnownDefects[i]
		}
	}
	return nil
}

// FailsAsKnown says whether a spec that fails, although its state may not tell yet, does so as an entry for this version
// of the subject has it. One that panics or takes too long does not.
func (l *Lists) FailsAsKnown(spec types.SpecReport, istio string) bool {
	defect := l.defect(SpecID(spec), istio)
	return defect != nil && defect.Message != "" && (spec.State == types.SpecStateFailed || !spec.Failed()) &&
		strings.Contains(spec.FailureMessage(), defect.Message)
}

// Exempt finds the entry of a spec that holds for a cell.
func (l *Lists) Exempt(spec string, cell *kindconfig.Cell) *Exemption {
	runs := func(minor string) bool { return strings.HasPrefix(cell.Kubernetes, minor+".") }
	for i, e := range l.Exemptions {
		if e.Spec == spec && (slices.Contains(e.Flavours, cell.ProxyFlavour) || slices.ContainsFunc(e.Kubernetes, runs)) {
			return &l.Exemptions[i]
		}
	}
	return nil
}
