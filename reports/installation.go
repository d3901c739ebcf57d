package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"mesh-conformance/kindconfig"
)

// Installation is how the control planes of a run were installed, on what, and by which lists of the builder's own the
// run was judged.
type Installation struct {
	// Installer is istioctl or helm.
	Installer string `json:"installer"`
	// Values is sha256:… of the builder's installation values, which job.json has; empty where there were none.
	Values string `json:"values,omitempty"`
	// Node is the reference of the node image; empty in a matrix, whose cells have one each.
	Node string `json:"node,omitempty"`
	// Lists are the builder's own lists with what they hold, for example "acme.yaml (3 known defects)".
	Lists []string `json:"lists,omitempty"`
}

// InstallationOf describes the installation that a job asks for.
func InstallationOf(job *kindconfig.Job) *Installation {
	made := &Installation{Installer: job.Cell.Install, Node: job.Cell.Node}
	if made.Installer == "" {
		made.Installer = "istioctl"
	}
	if job.Cell.Values != "" {
		sum := sha256.Sum256([]byte(job.Cell.Values))
		made.Values = "sha256:" + hex.EncodeToString(sum[:])
	}
	if own := job.Lists; own != nil {
		if own.KnownDefectsFile != "" {
			made.Lists = append(made.Lists, fmt.Sprintf("%s (%s)", own.KnownDefectsFile, plural(len(own.KnownDefects), "known defect")))
		}
		if own.ExemptionsFile != "" {
			made.Lists = append(made.Lists, fmt.Sprintf("%s (%s)", own.ExemptionsFile, plural(len(own.Exemptions), "exemption")))
		}
	}
	return made
}

// fact is one line of a report about an installation.
type fact struct{ Name, Value string }

// facts are what a report says of an installation; nil where it was not recorded.
func (i *Installation) facts() []fact {
	if i == nil {
		return nil
	}
	var said []fact
	for _, known := range []fact{
		{"installed by", i.Installer}, {"installation values", i.Values}, {"node image", i.Node},
		{"own lists", strings.Join(i.Lists, ", ")},
	} {
		if known.Value != "" {
			said = append(said, known)
		}
	}
	return said
}

// words names the installer and the values, which the cells of a matrix have in common.
func (i *Installation) words() string {
	if i == nil {
		return "not recorded"
	}
	if i.Values == "" {
		return i.Installer + " without own values"
	}
	return i.Installer + " with values " + i.Values
}

// markdownInstallation writes the line about the installation.
func markdownInstallation(b *strings.Builder, i *Installation) {
	var said []string
	for _, known := range i.facts() {
		said = append(said, known.Name+" "+code(known.Value))
	}
	if len(said) > 0 {
		b.WriteString(strings.Join(said, " · ") + "\n\n")
	}
}

// junitInstallation are the properties about the installation.
func junitInstallation(i *Installation) []junitProperty {
	var properties []junitProperty
	for _, known := range i.facts() {
		properties = append(properties, junitProperty{"subject." + strings.ReplaceAll(known.Name, " ", "-"), known.Value})
	}
	return properties
}
