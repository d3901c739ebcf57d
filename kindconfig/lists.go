package kindconfig

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
)

// The suite's own lists, as messages name them.
const (
	KnownDefectsFile = "known-defects.yaml"
	ExemptionsFile   = "exemptions.yaml"
)

// Severity is what a user loses by a defect.
type Severity string

// The severities.
const (
	// SeverityTraffic is a defect by which requests or connections fail or go elsewhere.
	SeverityTraffic Severity = "traffic"
	// SeveritySecurity is a defect by which a policy or encryption does not hold as it was asked for.
	SeveritySecurity Severity = "security"
	// SeverityObservability is a defect by which metrics, logs, traces or status are wrong or missing.
	SeverityObservability Severity = "observability"
	// SeverityTooling is a defect of istioctl, or of the API's acceptance of correct objects.
	SeverityTooling Severity = "tooling"
)

var severities = []Severity{SeverityTraffic, SeveritySecurity, SeverityObservability, SeverityTooling}

// KnownDefect is an entry of a list of known defects: builds in a range of versions fail a spec with a message.
type KnownDefect struct {
	// Spec is the spec's id.
	Spec string `json:"spec"`
	// Reason says what is promised and what the builds do instead.
	Reason string `json:"reason"`
	// Link leads to the upstream issue, change or source; a vendor's list may leave it out.
	Link string `json:"link,omitempty"`
	// Affected are the releases that have the defect, for example ">=1.20.0 <1.20.7 || >=1.21.0 <1.21.2" (the syntax of
	// Masterminds/semver). It reaches as far as is known.
	Affected string `json:"affected"`
	// Fixed are the releases that repaired it, oldest first, one for each branch, separated by commas; empty where
	// unknown.
	Fixed    string   `json:"fixed,omitempty"`
	Severity Severity `json:"severity"`
	// Message must be part of the failure: another failure is not the known one.
	Message string `json:"message"`
	// List is the vendor's file that the entry is from, as the user named it; empty for the suite's own list.
	List string `json:"-"`
}

// Exemption is an entry of a list of exemptions: a spec needs what a cell may lack. An entry names extensions, minor
// versions of Kubernetes, or both; either exempts.
type Exemption struct {
	// Spec is the spec's id.
	Spec   string `json:"spec"`
	Reason string `json:"reason"`
	// Link leads to the explanation; a vendor's list may leave it out.
	Link string `json:"link,omitempty"`
	// Extensions are names of Envoy extensions as its /server_info lists them (node.extensions). A cell whose proxy
	// lacks any of them is exempt.
	Extensions []string `json:"extensions,omitempty"`
	// Kubernetes are the minor versions that are exempt, for example 1.25.
	Kubernetes []string `json:"kubernetes,omitempty"`
	// List is the vendor's file that the entry is from, as the user named it; empty for the suite's own list.
	List string `json:"-"`
}

// ListName names the list that the entry is from, for messages.
func (d KnownDefect) ListName() string { return cmp.Or(d.List, KnownDefectsFile) }

// ListName names the list that the entry is from, for messages.
func (e Exemption) ListName() string { return cmp.Or(e.List, ExemptionsFile) }

// Holds reports whether a build is in the entry's range. A build that is placed at no release is in no range.
func (d KnownDefect) Holds(s Subject) bool {
	within, err := s.Within(d.Affected)
	return err == nil && within
}

// EndsBefore reports whether a build is outside of the entry's range and newer than a release of it: the defect was
// repaired since.
func (d KnownDefect) EndsBefore(s Subject) bool {
	placed, err := s.Placed()
	if err != nil || d.Holds(s) {
		return false
	}
	return slices.ContainsFunc(sample(d.Affected), placed.GreaterThan)
}

// sample lists releases of a range, at least one where the range has any: those that it names and their neighbours. A
// range that names no release stands for the oldest.
func sample(ranges string) []*semver.Version {
	constraint, err := semver.NewConstraint(ranges)
	if err != nil {
		return nil
	}
	oldest, last := semver.New(0, 0, 0, "", ""), uint64(1<<31)
	named := releaseNamed.FindAllString(ranges, -1)
	if len(named) == 0 {
		return []*semver.Version{oldest}
	}
	candidates := []*semver.Version{oldest}
	for _, name := range named {
		release, err := semver.NewVersion(name)
		if err != nil {
			continue
		}
		patch, minor, major := release.IncPatch(), release.IncMinor(), release.IncMajor()
		candidates = append(candidates, release, &patch, &minor, &major)
		switch {
		case release.Patch() > 0:
			candidates = append(candidates, semver.New(release.Major(), release.Minor(), release.Patch()-1, "", ""))
		case release.Minor() > 0:
			candidates = append(candidates, semver.New(release.Major(), release.Minor()-1, last, "", ""))
		case release.Major() > 0:
			candidates = append(candidates, semver.New(release.Major()-1, last, 0, "", ""))
		}
	}
	return slices.DeleteFunc(candidates, func(release *semver.Version) bool { return !constraint.Check(release) })
}

// LastBefore returns the newest release named in the entry's range that has the defect and is older than the build:
// the defect was repaired since that release. It is empty where the build is older than the range.
func (d KnownDefect) LastBefore(s Subject) string {
	placed, err := s.Placed()
	if err != nil {
		return ""
	}
	constraint, err := semver.NewConstraint(d.Affected)
	if err != nil {
		return ""
	}
	var last *semver.Version
	for _, named := range releaseNamed.FindAllString(d.Affected, -1) {
		release, err := semver.NewVersion(named)
		if err == nil && constraint.Check(release) && release.LessThan(placed) && (last == nil || last.LessThan(release)) {
			last = release
		}
	}
	if last == nil {
		return ""
	}
	return last.String()
}

// FixedBefore returns the newest release in Fixed that is at most the build's; empty where there is none.
func (d KnownDefect) FixedBefore(s Subject) string {
	placed, err := s.Placed()
	if err != nil {
		return ""
	}
	found := ""
	for _, release := range d.fixes() {
		if fixed, err := semver.NewVersion(release); err == nil && !placed.LessThan(fixed) {
			found = release
		}
	}
	return found
}

// fixes are the releases of Fixed.
func (d KnownDefect) fixes() []string {
	if d.Fixed == "" {
		return nil
	}
	releases := strings.Split(d.Fixed, ",")
	for i := range releases {
		releases[i] = strings.TrimSpace(releases[i])
	}
	return releases
}

// Outside says what a failure with the entry's message means for a build outside of the entry's range.
func (d KnownDefect) Outside(s Subject) string {
	said := fmt.Sprintf("%s has this as a defect of %s", d.ListName(), d.Affected)
	if fixed := d.FixedBefore(s); fixed != "" {
		return said + ", repaired in " + fixed + ": it is back"
	}
	return fmt.Sprintf("%s, and not of %s: widen the range if the build is known to have it", said, s.Base)
}

// For lists what the exemption holds for, in words.
func (e Exemption) For() []string {
	var holdsFor []string
	for _, extension := range e.Extensions {
		holdsFor = append(holdsFor, "a proxy without "+extension)
	}
	for _, minor := range e.Kubernetes {
		holdsFor = append(holdsFor, "Kubernetes "+minor)
	}
	return holdsFor
}

// Holds reports whether a cell is exempt.
func (e Exemption) Holds(cell *Cell) bool {
	runs := func(minor string) bool { return strings.HasPrefix(cell.Kubernetes, minor+".") }
	return len(cell.Lacks(e.Extensions)) > 0 || slices.ContainsFunc(e.Kubernetes, runs)
}

var (
	minorVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
	releaseNamed = regexp.MustCompile(`[0-9]+\.[0-9]+(?:\.[0-9]+)?`)
)

// ParseKnownDefects decodes a list of known defects strictly. file names it in errors. Every entry of it needs a spec,
// a reason, a range, a severity and a message, one of the suite's own list also a link. Errors are those of usage.
func ParseKnownDefects(content []byte, file string, vendors bool) ([]KnownDefect, error) {
	var list []KnownDefect
	if err := decode(content, file, vendors, &list); err != nil {
		return nil, err
	}
	for i := range list {
		d := &list[i]
		if err := complete(d.Spec, d.Reason, d.Link, file, vendors); err != nil {
			return nil, err
		}
		if err := d.check(); err != nil {
			return nil, problem.Usage(fmt.Sprintf("the entry for %q %v", d.Spec, err), file, "correct it")
		}
		if vendors {
			d.List = file
		}
	}
	return list, nil
}

// check finds what is wrong with an entry, in words that go on from its name.
func (d KnownDefect) check() error {
	if d.Affected == "" {
		return errors.New("lacks affected, the range of releases that it holds for")
	}
	constraint, err := semver.NewConstraint(d.Affected)
	if err != nil {
		return fmt.Errorf("has the malformed range %q: %w", d.Affected, err)
	}
	for _, part := range strings.Split(d.Affected, "||") {
		if len(sample(part)) == 0 {
			return fmt.Errorf("has the range %q, which no release can be in", strings.TrimSpace(part))
		}
	}
	within := sample(d.Affected)
	var last *semver.Version
	for _, fixed := range d.fixes() {
		if !IsRelease(fixed) {
			return fmt.Errorf("is fixed in %q, which is no release", fixed)
		}
		version := semver.MustParse(fixed)
		if constraint.Check(version) {
			return fmt.Errorf("is fixed in %s, which is in its range %q", fixed, d.Affected)
		}
		if !slices.ContainsFunc(within, version.GreaterThan) {
			return fmt.Errorf("is fixed in %s, which is older than every release of its range %q", fixed, d.Affected)
		}
		if last != nil && !last.LessThan(version) {
			return fmt.Errorf("names %s after %s as fixed; name the oldest first", fixed, last)
		}
		last = version
	}
	if !slices.Contains(severities, d.Severity) {
		return fmt.Errorf("has the severity %q, which is none of %s", d.Severity, joined(severities))
	}
	if strings.TrimSpace(d.Message) == "" {
		return errors.New("lacks a message, so that it would excuse every failure; add the part of the failure that tells " +
			"the defect")
	}
	return nil
}

// ParseExemptions decodes a list of exemptions strictly. file names it in errors. Every entry of it needs a spec, a
// reason and what it holds for, one of the suite's own list also a link. Errors are those of usage.
func ParseExemptions(content []byte, file string, vendors bool) ([]Exemption, error) {
	var list []Exemption
	if err := decode(content, file, vendors, &list); err != nil {
		return nil, err
	}
	versions, err := Load()
	if err != nil {
		return nil, err
	}
	for i := range list {
		e := &list[i]
		if err := complete(e.Spec, e.Reason, e.Link, file, vendors); err != nil {
			return nil, err
		}
		if len(e.For()) == 0 {
			return nil, problem.Usage(fmt.Sprintf("the entry for %q lacks what it holds for", e.Spec), file,
				"name extensions, or minor versions of Kubernetes")
		}
		for _, asked := range e.Kubernetes {
			if !minorVersion.MatchString(asked) {
				return nil, problem.Usage(fmt.Sprintf("in the entry for %q, %q is no minor version of Kubernetes",
					e.Spec, asked), file, "name one like 1.25")
			}
			if !slices.Contains(versions.KubernetesMinors(), asked) {
				return nil, problem.Usage(fmt.Sprintf("the entry for %q names Kubernetes %s, which is not pinned",
					e.Spec, asked), file, "pinned are "+strings.Join(versions.KubernetesMinors(), ", "))
			}
		}
		for _, name := range e.Extensions {
			if meant := mistyped(name); meant != "" {
				return nil, problem.Usage(fmt.Sprintf("the entry for %q names the extension %q, and every cell would be exempt",
					e.Spec, name), file, "did you mean "+meant+"?")
			}
			if !extensionName(name) {
				return nil, problem.Usage(fmt.Sprintf("the entry for %q names the extension %q, which neither Envoy nor Istio "+
					"has, so that every cell would be exempt", e.Spec, name), file,
					"name one that /server_info lists: envoy.… or one of "+strings.Join(IstioExtensions(), ", "))
			}
		}
		if vendors {
			e.List = file
		}
	}
	return list, nil
}

// decode reads one YAML document without unknown fields, and numbers as they are written. An empty file of a vendor is an
// error.
func decode[T any](content []byte, file string, vendors bool, into *[]T) error {
	err := OneDocument(content)
	if err == nil {
		content, err = asWritten(content)
	}
	if err == nil {
		err = yaml.UnmarshalStrict(content, into)
	}
	if err != nil {
		return problem.Usage("malformed list: "+oneLine(err), file, "correct the file")
	}
	if vendors && *into == nil {
		return problem.Usage("the list is empty", file, "add entries, or leave out the flag")
	}
	return nil
}

// oneLine joins the lines of an error of a decoder.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// complete finds what every entry needs.
func complete(spec, reason, link, file string, vendors bool) error {
	var missing []string
	for what, there := range map[string]bool{
		"a spec": spec != "", "a reason": strings.TrimSpace(reason) != "", "a link": link != "" || vendors,
	} {
		if !there {
			missing = append(missing, what)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		return problem.Usage(fmt.Sprintf("the entry for %q lacks %s", spec, strings.Join(missing, " and ")), file, "complete it")
	}
	return nil
}

// ListedOnce finds a spec that several entries of the lists name.
func ListedOnce(exemptions []Exemption, knownDefects []KnownDefect) error {
	seen := map[string]string{}
	once := func(spec, file string) error {
		if other, twice := seen[spec]; twice {
			return problem.Usage(spec+" is listed twice", strings.Join(slices.Compact([]string{other, file}), " and "),
				"keep one entry")
		}
		seen[spec] = file
		return nil
	}
	for _, e := range exemptions {
		if err := once(e.Spec, e.ListName()); err != nil {
			return err
		}
	}
	for _, d := range knownDefects {
		if err := once(d.Spec, d.ListName()); err != nil {
			return err
		}
	}
	return nil
}

// VendorLists are a vendor's own lists, which --known-defects and --exemptions name. Their content is in the job, so
// that a run can be repeated without the files.
type VendorLists struct {
	// KnownDefectsFile and ExemptionsFile are the files as the user named them; empty where none was given.
	KnownDefectsFile string        `json:"knownDefectsFile,omitempty"`
	KnownDefects     []KnownDefect `json:"knownDefects,omitempty"`
	ExemptionsFile   string        `json:"exemptionsFile,omitempty"`
	Exemptions       []Exemption   `json:"exemptions,omitempty"`
}

// LoadVendorLists reads a vendor's lists; nil where no file is named. Errors are those of usage.
func LoadVendorLists(knownDefects, exemptions string) (*VendorLists, error) {
	if knownDefects == "" && exemptions == "" {
		return nil, nil
	}
	lists := &VendorLists{KnownDefectsFile: knownDefects, ExemptionsFile: exemptions}
	if knownDefects != "" {
		content, err := readList("--known-defects", knownDefects)
		if err != nil {
			return nil, err
		}
		if lists.KnownDefects, err = ParseKnownDefects(content, knownDefects, true); err != nil {
			return nil, err
		}
	}
	if exemptions != "" {
		content, err := readList("--exemptions", exemptions)
		if err != nil {
			return nil, err
		}
		if lists.Exemptions, err = ParseExemptions(content, exemptions, true); err != nil {
			return nil, err
		}
	}
	return lists, ListedOnce(lists.Exemptions, lists.KnownDefects)
}

func readList(flag, file string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, problem.Usage("cannot read the list: "+err.Error(), flag, "name a YAML file")
	}
	return content, nil
}

// Named gives each entry the file that it is from, which the job does not repeat for each.
func (v *VendorLists) Named() (exemptions []Exemption, knownDefects []KnownDefect) {
	if v == nil {
		return nil, nil
	}
	exemptions, knownDefects = slices.Clone(v.Exemptions), slices.Clone(v.KnownDefects)
	for i := range exemptions {
		exemptions[i].List = v.ExemptionsFile
	}
	for i := range knownDefects {
		knownDefects[i].List = v.KnownDefectsFile
	}
	return exemptions, knownDefects
}

func joined[T ~string](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = string(item)
	}
	return strings.Join(words, ", ")
}
