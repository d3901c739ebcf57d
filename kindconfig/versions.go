// Package kindconfig holds the version pins of every cell and the kind cluster configuration.
package kindconfig

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

//go:embed versions.yaml
var versionsYAML []byte

// Pinned is a program built at one version and shipped in an image under a tag.
type Pinned struct {
	Build string `json:"build"`
	Tag   string `json:"tag"`
}

// Kubernetes is what a node image of one minor version is made of.
type Kubernetes struct {
	// Minor is the key of the entry, for example 1.28.
	Minor string `json:"-"`
	// Version is the patch release, without a leading v.
	Version string `json:"version"`
	Etcd    Pinned `json:"etcd"`
	CoreDNS Pinned `json:"coredns"`
	Pause   string `json:"pause"`
	// Published is kind's own node image, with its digest, for machines that reach an image registry; empty where none is
	// pinned.
	Published string `json:"published"`
}

// Hub is where published images of a subject are, and their tag.
type Hub struct {
	Hub string `json:"hub"`
	Tag string `json:"tag"`
	// Digests maps an image's name, for example pilot, to the digest that its tag has to name; images without one are
	// taken as the registry has them.
	Digests map[string]string `json:"digests,omitempty"`
}

// Istio is one release of Istio.
type Istio struct {
	Version string `json:"-"`
	// Envoy is the version of the proxy that a built subject runs on.
	Envoy     string `json:"envoy"`
	Published Hub    `json:"published"`
}

// Envoy is a wheel that carries the proxy's binary.
type Envoy struct {
	Version string `json:"-"`
	Package string `json:"package"`
	// SHA256 of the wheel by Go's architecture name.
	SHA256 map[string]string `json:"sha256"`
}

// Instruments are the programs that measure; they are built in every mode.
type Instruments struct {
	Echo      string `json:"echo"`
	EchoBasic string `json:"echoBasic"`
	MetalLB   string `json:"metallb"`
	Debian    string `json:"debian"`
}

// Defaults name the cell that is run when none is asked for.
type Defaults struct {
	Kubernetes string `json:"kubernetes"`
	Istio      string `json:"istio"`
	// Control is the release that specs compare the subject with: it lacks what the subject promises.
	Control string `json:"control"`
}

// Versions is the content of versions.yaml.
type Versions struct {
	Defaults    Defaults              `json:"defaults"`
	Kubernetes  map[string]Kubernetes `json:"kubernetes"`
	Istio       map[string]Istio      `json:"istio"`
	Envoy       map[string]Envoy      `json:"envoy"`
	Instruments Instruments           `json:"instruments"`
}

// Load reads the pins the program was built with and checks that they fit together.
func Load() (*Versions, error) { return Parse(versionsYAML) }

// Parse reads pins; an unknown field, or a name that points at nothing, is an error of usage.
func Parse(data []byte) (*Versions, error) {
	var v Versions
	if err := yaml.UnmarshalStrict(data, &v); err != nil {
		return nil, problem.Usage("malformed version pins: "+err.Error(), "kindconfig/versions.yaml", "correct the file")
	}
	if err := v.check(); err != nil {
		return nil, problem.Usage(err.Error(), "kindconfig/versions.yaml", "correct the file")
	}
	return &v, nil
}

func (v *Versions) check() error {
	if _, ok := v.Kubernetes[v.Defaults.Kubernetes]; !ok {
		return fmt.Errorf("the default Kubernetes %q is not pinned", v.Defaults.Kubernetes)
	}
	if _, ok := v.Istio[v.Defaults.Istio]; !ok {
		return fmt.Errorf("the default Istio %q is not pinned", v.Defaults.Istio)
	}
	if _, ok := v.Istio[v.Defaults.Control]; !ok {
		return fmt.Errorf("the release %q that serves as control is not pinned", v.Defaults.Control)
	}
	for minor, k := range v.Kubernetes {
		if !strings.HasPrefix(k.Version, minor+".") {
			return fmt.Errorf("kubernetes %s pins version %q of another minor", minor, k.Version)
		}
		for name, value := range map[string]string{
			"etcd.build": k.Etcd.Build, "etcd.tag": k.Etcd.Tag, "coredns.build": k.CoreDNS.Build,
			"coredns.tag": k.CoreDNS.Tag, "pause": k.Pause,
		} {
			if value == "" {
				return fmt.Errorf("kubernetes %s pins no %s", minor, name)
			}
		}
	}
	for version, i := range v.Istio {
		if _, ok := v.Envoy[i.Envoy]; !ok {
			return fmt.Errorf("istio %s runs on Envoy %q, which is not pinned", version, i.Envoy)
		}
		if placed, err := semver.StrictNewVersion(version); err != nil || placed.Prerelease() != "" {
			return fmt.Errorf("istio %q is no release, for example 1.20.0", version)
		}
	}
	for version, e := range v.Envoy {
		for arch, sum := range e.SHA256 {
			if len(sum) != 64 {
				return fmt.Errorf("envoy %s has no SHA-256 for %s", version, arch)
			}
		}
	}
	if v.Instruments.Echo == "" || v.Instruments.EchoBasic == "" || v.Instruments.MetalLB == "" || v.Instruments.Debian == "" {
		return fmt.Errorf("instruments must pin echo, echoBasic, metallb and debian")
	}
	return nil
}

// ForKubernetes finds the pins of a minor (1.28) or of exactly its pinned patch (1.28.15, v1.28.15).
// The empty string is the default.
func (v *Versions) ForKubernetes(asked string) (Kubernetes, error) {
	if asked == "" {
		asked = v.Defaults.Kubernetes
	}
	name := strings.TrimPrefix(asked, "v")
	for minor, k := range v.Kubernetes {
		if name == minor || name == k.Version {
			k.Minor = minor
			return k, nil
		}
	}
	return Kubernetes{}, problem.Usage(fmt.Sprintf("unknown Kubernetes version %q", asked), "--kubernetes",
		"pinned are "+strings.Join(v.KubernetesMinors(), ", "))
}

// ForIstio finds the pins of a release; the empty string is the default.
func (v *Versions) ForIstio(asked string) (Istio, error) {
	if asked == "" {
		asked = v.Defaults.Istio
	}
	if _, ok := v.Istio[asked]; !ok {
		return Istio{}, problem.Usage(fmt.Sprintf("unknown Istio version %q", asked), "--istio",
			"pinned are "+strings.Join(v.Releases(), ", "))
	}
	return v.Release(asked), nil
}

// Release finds the pins of a release that is known to be pinned.
func (v *Versions) Release(version string) Istio {
	i := v.Istio[version]
	i.Version = version
	return i
}

// Releases lists the pinned releases of Istio, oldest first.
func (v *Versions) Releases() []string {
	releases := make([]string, 0, len(v.Istio))
	for version := range v.Istio {
		releases = append(releases, version)
	}
	slices.SortFunc(releases, func(a, b string) int { return parsed(a).Compare(parsed(b)) })
	return releases
}

// parsed is a pinned release; check has parsed each before.
func parsed(version string) *semver.Version {
	release, err := semver.NewVersion(version)
	if err != nil {
		return &semver.Version{}
	}
	return release
}

// ReleaseBefore returns the newest pinned release of the minor version before a release, from which upgrades to it
// start, or "" where none is pinned.
func (v *Versions) ReleaseBefore(release *semver.Version) string {
	before := ""
	for _, version := range v.Releases() {
		if other := parsed(version); other.Major() == release.Major() && other.Minor()+1 == release.Minor() {
			before = version
		}
	}
	return before
}

// ReleaseAfter returns the first pinned release after a release, a patch of its minor version or a later one, or ""
// where none is pinned.
func (v *Versions) ReleaseAfter(release *semver.Version) string {
	for _, version := range v.Releases() {
		if parsed(version).GreaterThan(release) {
			return version
		}
	}
	return ""
}

// Newest returns the newest pinned release of a release's minor version, or "" where none is pinned.
func (v *Versions) Newest(of *semver.Version) string {
	newest := ""
	for _, version := range v.Releases() {
		if other := parsed(version); other.Major() == of.Major() && other.Minor() == of.Minor() {
			newest = version
		}
	}
	return newest
}

// ForEnvoy finds the wheel of an Envoy version.
func (v *Versions) ForEnvoy(version string) Envoy {
	e := v.Envoy[version]
	e.Version = version
	return e
}

// KubernetesMinors lists the pinned minors, oldest first.
func (v *Versions) KubernetesMinors() []string {
	minors := make([]string, 0, len(v.Kubernetes))
	for minor := range v.Kubernetes {
		minors = append(minors, minor)
	}
	slices.Sort(minors)
	return minors
}
