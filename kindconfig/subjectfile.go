package kindconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

// SubjectSchema is the version of the subject files that this program reads and writes.
const SubjectSchema = 1

// SubjectName is the name of the file in a run's folder that repeats its run.
const SubjectName = "subject.yaml"

// SubjectFile is what a user asks for: the content of a subject file, and the flags of the same names. Exactly one of
// Istio, Source, and Hub with Tag says where the build comes from; none means the default release.
type SubjectFile struct {
	// Schema is SubjectSchema.
	Schema int `json:"schema"`
	// Name is what reports call the build; empty means that it is derived.
	Name string `json:"name,omitempty"`
	// Istio is a pinned release.
	Istio string `json:"istio,omitempty"`
	// Source is the folder of a checkout of istio/istio, or of its module.
	Source string `json:"source,omitempty"`
	// Hub and Tag name images that exist.
	Hub string `json:"hub,omitempty"`
	Tag string `json:"tag,omitempty"`
	// Istioctl is a program, Charts a folder of charts and profiles; both go with Hub and Tag.
	Istioctl string `json:"istioctl,omitempty"`
	Charts   string `json:"charts,omitempty"`
	// Base is the release that a build with a version of its own is taken for, 1.20 or 1.20.3.
	Base string `json:"base,omitempty"`
	// UpgradeFrom and UpgradeTo are pinned releases in place of those that follow from the version.
	UpgradeFrom string `json:"upgradeFrom,omitempty"`
	UpgradeTo   string `json:"upgradeTo,omitempty"`
	// Images is where releases come from: auto, published or built; empty leaves it to the flag --images.
	Images string `json:"images,omitempty"`
	// Digests has the sha256:… that parts have to have, by their names. Other parts are not compared.
	Digests map[string]string `json:"digests,omitempty"`
}

// LoadSubjectFile reads a subject file strictly. Its relative paths are taken from its folder. Errors are of usage.
func LoadSubjectFile(path string) (SubjectFile, error) {
	const flag = "--subject"
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return SubjectFile{}, problem.Usage("cannot read the subject file: "+err.Error(), flag, "name a YAML file")
	}
	if err := OneDocument(content); err != nil {
		return SubjectFile{}, problem.Usage("malformed subject file: "+oneLine(err), path, "correct it")
	}
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := yaml.Unmarshal(content, &version); err != nil {
		return SubjectFile{}, problem.Usage("malformed subject file: "+oneLine(err), path, "correct it")
	}
	switch {
	case version.Schema == nil:
		return SubjectFile{}, problem.Usage("the subject file has no schema",
			path, fmt.Sprintf("begin it with schema: %d", SubjectSchema))
	case *version.Schema != SubjectSchema:
		return SubjectFile{}, problem.Usage(fmt.Sprintf("the subject file has schema %d, and this program reads schema %d",
			*version.Schema, SubjectSchema), path, "use a program of the file's schema, or write the file anew")
	}
	if content, err = asWritten(content); err != nil {
		return SubjectFile{}, problem.Usage("malformed subject file: "+oneLine(err), path, "correct it")
	}
	var file SubjectFile
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return SubjectFile{}, problem.Usage("malformed subject file: "+oneLine(err), path, "correct it")
	}
	for _, named := range []*string{&file.Source, &file.Istioctl, &file.Charts} {
		if *named != "" && !filepath.IsAbs(*named) {
			*named = filepath.Join(filepath.Dir(path), *named)
		}
	}
	return file, nil
}

// Save writes the file, so that LoadSubjectFile reads it.
func (f SubjectFile) Save(path string) error {
	f.Schema = SubjectSchema
	content, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// imagesChoices are the values of Images.
var imagesChoices = []string{"", "auto", "published", "built"}

// digest is what Digests has to have.
var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Check reports the first combination of values that makes no sense, as an error of usage. It reads no file.
func (f SubjectFile) Check() error {
	var origins []string
	for _, origin := range []struct {
		flag string
		is   bool
	}{{"--istio", f.Istio != ""}, {"--istio-source", f.Source != ""}, {"--hub", f.Hub != "" || f.Tag != ""}} {
		if origin.is {
			origins = append(origins, origin.flag)
		}
	}
	images := f.Hub != "" && f.Tag != ""
	switch {
	case len(origins) > 1:
		return problem.Usage("a build comes from one place, and two are named",
			strings.Join(origins, ", "), "leave one out")
	case f.Hub != "" && f.Tag == "":
		return problem.Usage("a hub without a tag names no images", "--hub", "add --tag")
	case f.Tag != "" && f.Hub == "":
		return problem.Usage("a tag without a hub names no images", "--tag", "add --hub")
	case f.Istioctl != "" && !images:
		return problem.Usage("an istioctl of one's own goes with images that exist",
			"--istioctl", "add --hub and --tag, or leave it out")
	case f.Charts != "" && !images:
		return problem.Usage("charts of one's own go with images that exist",
			"--charts", "add --hub and --tag, or leave them out")
	case strings.ContainsAny(f.Hub, " \t@") || strings.Contains(f.Hub, "://") || strings.HasSuffix(f.Hub, "/"):
		return problem.Usage(fmt.Sprintf("the hub %q is malformed", f.Hub), "--hub", "name one like docker.io/istio")
	case f.Base != "" && f.Source == "" && !images:
		return problem.Usage("a release is its own base",
			"--base", "leave it out, or name a build with --istio-source or --hub and --tag")
	case f.Base != "" && !IsBase(f.Base):
		return problem.Usage(fmt.Sprintf("the base %q is no release", f.Base), "--base", "name one like 1.20 or 1.20.3")
	}
	known := false
	for _, choice := range imagesChoices {
		known = known || f.Images == choice
	}
	if !known {
		return problem.Usage(fmt.Sprintf("unknown value %q of images", f.Images),
			"--subject", "give one of auto, published, built")
	}
	for name, value := range f.Digests {
		if !digest.MatchString(value) {
			return problem.Usage(fmt.Sprintf("the digest %q of %s is malformed", value, name),
				"--subject", "name sha256: and 64 hexadecimal digits")
		}
		if !digested[name] {
			return problem.Usage(fmt.Sprintf("a digest is named for %q, which is no part of a build", name), "--subject",
				"name pilot, proxyv2, install-cni, istioctl, charts or source")
		}
	}
	return nil
}

// digested are the parts that may have a digest in a subject file.
var digested = map[string]bool{
	PartPilot: true, PartProxy: true, PartCNI: true, PartIstioctl: true, PartCharts: true, PartSource: true,
}

// Subject makes the subject of what the user asks for, as far as it is known without its images and its source:
// Version and Base of images, and Version of a source tree, follow from Located. Errors are of usage.
func (v *Versions) Subject(asked SubjectFile) (Subject, error) {
	if err := asked.Check(); err != nil {
		return Subject{}, err
	}
	asked.Schema = SubjectSchema
	for flag, version := range map[string]string{"--upgrade-from": asked.UpgradeFrom, "--upgrade-to": asked.UpgradeTo} {
		if _, ok := v.Istio[version]; version != "" && !ok {
			return Subject{}, problem.Usage(fmt.Sprintf("the release %q is not pinned", version),
				flag, "pinned are "+strings.Join(v.Releases(), ", "))
		}
	}
	switch {
	case asked.Source != "":
		return Subject{Name: orElse(asked.Name, "Istio from "+filepath.Base(asked.Source)), Origin: OriginSource, Asked: asked}, nil
	case asked.Hub != "":
		return Subject{Name: orElse(asked.Name, asked.Hub+" "+asked.Tag), Origin: OriginImages, Asked: asked}, nil
	}
	pins, err := v.ForIstio(asked.Istio)
	if err != nil {
		return Subject{}, err
	}
	subject := ReleaseSubject(pins.Version)
	asked.Istio = pins.Version
	subject.Name, subject.Asked = orElse(asked.Name, subject.Name), asked
	return v.Located(subject, pins.Version)
}

// Located is a subject of which the version is known, with its base and its upgrade path. A version that is no release,
// or is a release of a minor version that is not pinned, needs --base. Of a base without a patch, the patch is that of
// the version, where both are of one minor version. Errors are of usage.
func (v *Versions) Located(s Subject, version string) (Subject, error) {
	s.Version, s.Base = version, orElse(s.Asked.Base, version)
	if s.Asked.Base == "" {
		if !IsRelease(version) {
			return Subject{}, needsBase(s, "is no release")
		}
		if s.Origin == OriginImages && v.Newest(parsed(version)) == "" {
			return Subject{}, needsBase(s, "is of no minor version that is pinned: pinned are "+strings.Join(v.Releases(), ", "))
		}
	}
	placed, err := s.Placed()
	if err != nil {
		return Subject{}, problem.Usage(err.Error(), "--base", "name a release like 1.20 or 1.20.3")
	}
	says, err := semver.NewVersion(version)
	switch {
	case err != nil: // Such a version says nothing of a release.
	case sameMinor(says, placed):
		if statedPatch.MatchString(version) && !IsRelease(s.Base) {
			s.Base = core(says).String()
		}
	case v.plausible(says):
		return Subject{}, problem.Usage(fmt.Sprintf("%s reports version %s, which is no build of %s", s.Name, version, s.Asked.Base), "--base",
			fmt.Sprintf("name %d.%d or one of its releases", says.Major(), says.Minor()))
	}
	if placed, err = s.Placed(); err != nil {
		return Subject{}, err
	}
	newest := s.newest(placed)
	s.From, s.To = v.ReleaseBefore(placed), v.ReleaseAfter(newest)
	if from := s.Asked.UpgradeFrom; from != "" {
		if !parsed(from).LessThan(placed) {
			return Subject{}, problem.Usage(fmt.Sprintf("an upgrade to %s cannot start from %s", s.Base, from),
				"--upgrade-from", "name an older release")
		}
		s.From = from
	}
	if to := s.Asked.UpgradeTo; to != "" {
		if !parsed(to).GreaterThan(newest) {
			return Subject{}, problem.Usage(fmt.Sprintf("an upgrade from %s cannot lead to %s", newest, to),
				"--upgrade-to", "name a newer release")
		}
		s.To = to
	}
	return s, nil
}

// needsBase is the usage error for a build whose version does not say which release it is to be judged by.
func needsBase(s Subject, why string) error {
	return problem.Usage(fmt.Sprintf("%s reports version %q, which %s", s.Name, s.Version, why), "pilot-discovery version",
		"say with --base which release it is to be taken for, for example --base 1.20")
}

// statedPatch is the beginning of a version that names a patch: 1.20.8-acme does, 1.20-alpha.abc does not.
var statedPatch = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+`)

func sameMinor(x, y *semver.Version) bool { return x.Major() == y.Major() && x.Minor() == y.Minor() }

// core is a version without its suffix.
func core(version *semver.Version) *semver.Version {
	return semver.New(version.Major(), version.Minor(), version.Patch(), "", "")
}

// plausible reports whether a version can be one of Istio's own numbering, because its major version is one of the
// pinned releases'. Vendors number their builds otherwise, too: 2.5.0, or 20231207.
func (v *Versions) plausible(version *semver.Version) bool {
	for _, release := range v.Releases() {
		if parsed(release).Major() == version.Major() {
			return true
		}
	}
	return false
}

// newest is the release that an upgrade has to lead beyond: the one that the subject is placed at, or the one that its
// version is of, where that is a later patch of the same minor version.
func (s Subject) newest(placed *semver.Version) *semver.Version {
	says, err := semver.NewVersion(s.Version)
	if err == nil && sameMinor(says, placed) && core(says).GreaterThan(placed) {
		return core(says)
	}
	return placed
}

// Lacks says why a subject has no release to upgrade from, or to; empty where it has one.
func (s Subject) Lacks() (before, after string) {
	placed, err := s.Placed()
	if err != nil {
		return "", ""
	}
	minor := fmt.Sprintf("%d.%d", placed.Major(), placed.Minor())
	if s.From == "" {
		before = "no release before " + minor + " is pinned"
	}
	if s.To == "" {
		after = "no release after " + s.newest(placed).String() + " is pinned"
	}
	return before, after
}

func orElse(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}
