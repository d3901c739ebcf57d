package kindconfig

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Origin is where a part of the subject comes from.
type Origin string

// The origins of a subject.
const (
	// OriginRelease is a release: the module that versions.yaml pins, or its published images.
	OriginRelease Origin = "release"
	// OriginSource is a checkout of istio/istio, or a module folder, on this machine.
	OriginSource Origin = "source"
	// OriginImages are images that exist, named by hub and tag.
	OriginImages Origin = "images"
	// OriginFile is a file or a folder of this machine; only istioctl and the charts come from one.
	OriginFile Origin = "file"
)

// The parts of a subject.
const (
	PartPilot    = "pilot"
	PartProxy    = "proxyv2"
	PartCNI      = "install-cni"
	PartIstioctl = "istioctl"
	PartCharts   = "charts"
	// PartSource is the source tree that the others are built from; it has a digest in subject files only.
	PartSource = "source"
)

// Subject is the build of Istio that a run judges. Versions.Subject makes it of what the user asks for, and the images
// package completes it with what the build reports of itself.
type Subject struct {
	// Name is what reports call the build, for example "Istio 1.20.1" or the name that a subject file gives it.
	Name string `json:"name"`
	// Version is what the build says of itself (pilot-discovery version), for example 1.20.1 or 1.20.0-acme.3. It is empty
	// until images that exist have been pulled.
	Version string `json:"version"`
	// Base is the release that data about versions takes the build for: Version where that is a release, else what
	// --base says, with the patch of Version where both are of one minor version; 1.20 stands for 1.20.0.
	Base string `json:"base"`
	// Placement says of a source tree which states a minor version only, and no patch, where it is placed and by what, for
	// example "placed at 1.20.0 by VERSION"; else it is empty.
	Placement string `json:"placement,omitempty"`
	// Origin is where pilot, proxyv2 and install-cni come from.
	Origin Origin `json:"origin"`
	// Pinned says that the build is a release of versions.yaml as published, neither patched nor private: lists of what is
	// known of it have to be right.
	Pinned bool `json:"pinned"`
	// From and To are the pinned releases that upgrades to the subject start from and lead to; empty where none is pinned.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Asked is what the user asked for. Of a subject that a run has prepared, it repeats the run: paths are absolute, and
	// digests are set.
	Asked SubjectFile `json:"asked"`
	// Parts are what the build consists of, once they are prepared.
	Parts []Part `json:"parts,omitempty"`
}

// Part is one part of a subject.
type Part struct {
	// Name is one of the constants Part….
	Name   string `json:"name"`
	Origin Origin `json:"origin"`
	// From is where it was taken from: an image reference, a file, a folder, or the version of a module.
	From string `json:"from"`
	// Digest is sha256:… of an image's manifest, of a file or of a folder's content.
	Digest string `json:"digest,omitempty"`
}

// Digest returns the digest of a part, or "" where the part is not known.
func (s Subject) Digest(part string) string {
	for _, known := range s.Parts {
		if known.Name == part {
			return known.Digest
		}
	}
	return ""
}

// Placed parses the release that data about versions takes the build for.
func (s Subject) Placed() (*semver.Version, error) {
	placed, err := semver.NewVersion(s.Base)
	if err != nil {
		return nil, fmt.Errorf("the subject %s is placed at %q, which is no release: %w", s.Name, s.Base, err)
	}
	return placed, nil
}

// Within reports whether the build is in a range of releases, for example ">=1.20.0 <1.20.7"; several ranges are
// separated by "||" (the syntax of Masterminds/semver). The error says what cannot be parsed.
func (s Subject) Within(ranges string) (bool, error) {
	constraint, err := semver.NewConstraint(ranges)
	if err != nil {
		return false, fmt.Errorf("malformed range of versions %q: %w", ranges, err)
	}
	placed, err := s.Placed()
	if err != nil {
		return false, err
	}
	return constraint.Check(placed), nil
}

// ReleaseSubject is the subject of a pinned release, without an upgrade path: Versions.Subject adds it.
func ReleaseSubject(version string) Subject {
	return Subject{
		Name: "Istio " + version, Version: version, Base: version, Origin: OriginRelease, Pinned: true,
		Asked: SubjectFile{Schema: SubjectSchema, Istio: version},
	}
}

// release is the version of a release: no suffix.
var release = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

// IsRelease reports whether a version is that of a release, and not of a build of somebody's own.
func IsRelease(version string) bool { return release.MatchString(version) }

// base is a minor version or a release.
var base = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?$`)

// IsBase reports whether a version can be the base of a build: a minor version or a release.
func IsBase(version string) bool { return base.MatchString(version) }

// Minor returns the first two parts of a version of Istio or of Kubernetes: 1.28 of v1.28.15.
func Minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
