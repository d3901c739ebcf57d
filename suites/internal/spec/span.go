package spec

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/onsi/ginkgo/v2"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/catalogue"
)

// The labels that hold the first release with a promise and the first one without it.
const (
	since = "since:"
	until = "until:"
)

// Since decorates a container or a spec whose promise Istio makes from a release on, for example "1.21".
func Since(release string) ginkgo.Labels { return ginkgo.Label(since + release) }

// Until decorates a container or a spec whose promise Istio makes in releases before one, for example "1.21".
func Until(release string) ginkgo.Labels { return ginkgo.Label(until + release) }

// Span holds the releases that make a promise: from Since on and before Until. An empty one sets no bound.
type Span struct{ Since, Until string }

// SpanOf returns the span of a spec with these labels: that of its row, narrowed by those of its containers and by its
// own. The error names a release that cannot be parsed.
func SpanOf(labels []string) (Span, error) {
	row, _ := catalogue.RowOf(labels)
	span := Span{Since: row.Since, Until: row.Until}
	for _, label := range labels {
		var err error
		if release, ok := strings.CutPrefix(label, since); ok {
			span.Since, err = pick(span.Since, release, (*semver.Version).GreaterThan)
		} else if release, ok := strings.CutPrefix(label, until); ok {
			span.Until, err = pick(span.Until, release, (*semver.Version).LessThan)
		}
		if err != nil {
			return Span{}, err
		}
	}
	return span, nil
}

// pick returns the narrower of two releases, or candidate if other is empty. The error names what cannot be parsed.
func pick(other, candidate string, narrower func(*semver.Version, *semver.Version) bool) (string, error) {
	parsed, err := semver.NewVersion(candidate)
	if err != nil {
		return "", fmt.Errorf("%q is no release: %w", candidate, err)
	}
	if other == "" {
		return candidate, nil
	}
	known, err := semver.NewVersion(other)
	if err != nil {
		return "", fmt.Errorf("%q is no release: %w", other, err)
	}
	if narrower(parsed, known) {
		return candidate, nil
	}
	return other, nil
}

// Excludes reports whether the release that a subject is placed at does not make the promise, and why in words: for
// example "promised since 1.21". The error says which range or release cannot be parsed.
func (s Span) Excludes(subject kindconfig.Subject) (reason string, is bool, err error) {
	if s.Since != "" {
		within, err := subject.Within(">=" + s.Since)
		if err != nil {
			return "", false, err
		}
		if !within {
			return "promised since " + s.Since, true, nil
		}
	}
	if s.Until != "" {
		within, err := subject.Within("<" + s.Until)
		if err != nil {
			return "", false, err
		}
		if !within {
			return "promised before " + s.Until + " only", true, nil
		}
	}
	return "", false, nil
}

// Exempt reports whether a spec with these labels is exempt from a run, because the subject's release does not make its
// promise, and why in words. No spec is where the job runs every promise. Labels and a subject that cannot be parsed
// exempt nothing: Check finds the labels, and the driver the subject.
func Exempt(job *kindconfig.Job, labels []string) (reason string, is bool) {
	if job.EveryPromise {
		return "", false
	}
	span, err := SpanOf(labels)
	if err != nil {
		return "", false
	}
	reason, is, err = span.Excludes(job.Cell.Subject)
	return reason, is && err == nil
}
