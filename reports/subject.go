package reports

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"mesh-conformance/kindconfig"
)

// placedAt says which release data about versions takes a build for, where its version does not say so itself.
func placedAt(s *kindconfig.Subject) string {
	switch {
	case s.Base == s.Version:
		return s.Version
	case s.Placement != "":
		return s.Version + ", " + s.Placement
	}
	return s.Version + ", taken for " + s.Base
}

// subjectYAML is the subject file that repeats a run.
func subjectYAML(s *kindconfig.Subject) string {
	content, err := yaml.Marshal(s.Asked)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// upgradePath says what upgrades start from and lead to.
func upgradePath(s *kindconfig.Subject) string {
	before, after := s.Lacks()
	if before == "" {
		before = "from " + s.From
	}
	if after == "" {
		after = "to " + s.To
	}
	return before + ", " + after
}

// markdownSubject writes the block about the build under test.
func markdownSubject(b *strings.Builder, s *kindconfig.Subject, i *Installation) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "## Subject\n\n%s · version %s · upgrades %s\n\n", text(s.Name), text(placedAt(s)), text(upgradePath(s)))
	if len(s.Parts) > 0 {
		b.WriteString("| part | origin | from | digest |\n| --- | --- | --- | --- |\n")
		for _, part := range s.Parts {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", text(part.Name), part.Origin, text(part.From), code(part.Digest))
		}
		b.WriteString("\n")
	}
	markdownInstallation(b, i)
	fmt.Fprintf(b, "<details><summary>%s, which repeats this run</summary><pre>%s</pre></details>\n\n", kindconfig.SubjectName, block(subjectYAML(s)))
}

// junitSubject are the properties about the build under test.
func junitSubject(s *kindconfig.Subject) []junitProperty {
	if s == nil {
		return nil
	}
	properties := []junitProperty{
		{"subject", s.Name}, {"subject.version", s.Version}, {"subject.base", s.Base}, {"subject.origin", string(s.Origin)},
		{"subject.upgrades", upgradePath(s)},
	}
	for _, part := range s.Parts {
		properties = append(properties, junitProperty{"subject." + part.Name, strings.TrimSuffix(part.From+"@"+part.Digest, "@") + " (" + string(part.Origin) + ")"})
	}
	return properties
}
