// Package spec holds the decorators that every spec of the suite has beside Ginkgo's own.
package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/suites/internal/catalogue"
)

// ID decorates an It or an Entry with the id by which lists, results and diagnostics name the spec, however its
// sentence changes: the label of its row, a dot and a short name of the promise, for example
// "mirroring.shares-sidecar". An id stays with its promise and is never given to another one. It is a Ginkgo label, so
// that --label-filter selects the spec by its id.
func ID(id string) ginkgo.Labels { return ginkgo.Label(id) }

// IDOf returns the id among a spec's labels. ok is false where the labels hold none, or several.
func IDOf(labels []string) (id string, ok bool) {
	found := slices.DeleteFunc(slices.Clone(labels), func(label string) bool { return !isID(label) })
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// Shown returns the labels of a spec that listings show: all but its id and what Since and Until add, which have places
// of their own.
func Shown(labels []string) []string {
	return slices.DeleteFunc(slices.Clone(labels), func(label string) bool {
		return isID(label) || strings.HasPrefix(label, since) || strings.HasPrefix(label, until)
	})
}

// isID reports whether a label begins with the label of a row and a dot.
func isID(label string) bool {
	return slices.ContainsFunc(catalogue.Rows(), func(row catalogue.Row) bool {
		return strings.HasPrefix(label, catalogue.Label(row.ID)+".")
	})
}

// LongestName is how many characters the name in an id has at most: what follows the row's label and the dot.
const LongestName = 40

var (
	ownName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// shortName is what the ShortNames of the Gateway API's own tests have in common.
	shortName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
)

// Check returns an error where the labels of a spec lack the one id that begins with the label of the spec's row, or
// where the name in it is not well-formed: lower-case words of letters and digits joined by hyphens, or the ShortName
// of one of the Gateway API's own tests. What Since and Until add has to name a release.
func Check(labels []string) error {
	row, ok := catalogue.RowOf(labels)
	if !ok {
		return fmt.Errorf("labels %v name no row of the catalogue, or several", labels)
	}
	if _, err := SpanOf(labels); err != nil {
		return err
	}
	id, ok := IDOf(labels)
	if !ok {
		return fmt.Errorf("labels %v hold no id, or several: decorate the spec with spec.ID", labels)
	}
	name, ok := strings.CutPrefix(id, catalogue.Label(row.ID)+".")
	switch {
	case !ok:
		return fmt.Errorf("id %q does not begin with its row %s", id, catalogue.Label(row.ID))
	case strings.HasPrefix(row.ID, "gatewayapi/"):
		if !shortName.MatchString(name) {
			return fmt.Errorf("id %q does not end in the ShortName of an upstream test", id)
		}
	case !ownName.MatchString(name):
		return fmt.Errorf("id %q is malformed: its name may hold lower-case letters, digits and single hyphens", id)
	case len(name) > LongestName:
		return fmt.Errorf("id %q is too long: its name has %d characters, at most %d are allowed", id, len(name), LongestName)
	}
	return nil
}
