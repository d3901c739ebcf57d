package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/controlplane"
)

// installation is how the subject's control planes are installed.
type installation struct {
	// by is istioctl or helm.
	by string
	// valuesFile has the builder's own installation values; empty where there are none.
	valuesFile string
	// values is its content, once check has read it.
	values string
}

// addFlags adds the flags of an installation.
func (i *installation) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&i.valuesFile, "values", "",
		"file with your own installation values, an IstioOperator or Helm values; the suite lays its own over them")
	f.StringVar(&i.by, "install", controlplane.ByIstioctl,
		"what installs the control planes: "+strings.Join(controlplane.Installers(), " or "))
}

// check reads the values and refuses, in one line, what cannot be installed: an unknown installer, images without
// charts for Helm, a file that is neither an IstioOperator nor Helm values, a value that contradicts what the suite sets,
// and one that the subject does not have as far as that is known.
func (i *installation) check(subject kindconfig.Subject) error {
	if i.by != "" && !slices.Contains(controlplane.Installers(), i.by) {
		return problem.Usage(fmt.Sprintf("unknown value %q of --install", i.by), "qualify run",
			"give one of "+strings.Join(controlplane.Installers(), ", "))
	}
	if i.by == controlplane.ByHelm && subject.Origin == kindconfig.OriginImages && subject.Asked.Charts == "" {
		return problem.Usage("helm needs --charts: the images under test bring no charts that it could install", "--install",
			"name the folder manifests of the build with --charts")
	}
	if i.valuesFile == "" {
		return nil
	}
	content, err := os.ReadFile(filepath.Clean(i.valuesFile))
	if err != nil {
		return problem.Usage("cannot read the installation values: "+err.Error(), "--values", "name a file")
	}
	known := i.by != controlplane.ByHelm && knownValues(subject)
	if err := controlplane.CheckValues(content, i.valuesFile, known); err != nil {
		return err
	}
	if i.by == controlplane.ByHelm {
		if err := controlplane.CheckHelm(content, i.valuesFile); err != nil {
			return err
		}
	}
	i.values = string(content)
	return nil
}

// knownValues reports whether a build has the Helm values of the Istio that this program is built with and no others: a
// pinned release that is not later. A vendor's build may have values of its own.
func knownValues(subject kindconfig.Subject) bool {
	known, err := subject.Within("<1.21.0")
	return err == nil && known && subject.Pinned
}

// of returns a copy of a cell that is installed so.
func (i *installation) of(cell *kindconfig.Cell) kindconfig.Cell {
	installed := *cell
	installed.Install, installed.Values = i.by, i.values
	return installed
}
