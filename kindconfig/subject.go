package kindconfig

import (
	"fmt"

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
)

// Subject is the build of Istio that a run judges.
type Subject struct {
	// Name is what reports call the build, for example "Istio 1.20.1" or the name that a subject file gives it.
	Name string `json:"name"`
	// Version is what the build says of itself (pilot-discovery version), for example 1.20.1 or 1.20.0-acme.3.
	Version string `json:"version"`
	// Base is the release that data about versions takes the build for: Version where that is a release, else what
	// --base says; 1.20 stands for 1.20.0.
	Base string `json:"base"`
	// Origin is where pilot, proxyv2 and install-cni come from.
	Origin Origin `json:"origin"`
	// Pinned says that the build is a release of versions.yaml as published, neither patched nor private: lists of what is
	// known of it have to be right.
	Pinned bool `json:"pinned"`
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

// ReleaseSubject is the subject of a pinned release.
func ReleaseSubject(version string) Subject {
	return Subject{Name: "Istio " + version, Version: version, Base: version, Origin: OriginRelease, Pinned: true}
}
