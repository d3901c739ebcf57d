package sound

import (
	_ "embed"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
	"mesh-conformance/suites/internal/catalogue"
)

//go:embed expected.yaml
var expectedYAML []byte

// expectedFile names the list for whoever has to correct it.
const expectedFile = "suites/internal/sound/expected.yaml"

// expectation excuses the findings its expression matches.
type expectation struct {
	Row    string `json:"row"`
	Match  string `json:"match"`
	Reason string `json:"reason"`
	Link   string `json:"link"`

	pattern *regexp.Regexp
}

// parseExpected reads the list strictly: an entry that lacks its reason excuses nothing.
func parseExpected(text []byte) ([]expectation, error) {
	var list struct {
		Expected []expectation `json:"expected"`
	}
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		return nil, problem.Usage(fmt.Sprintf("the list of expected findings is not valid: %v", err), expectedFile, "correct the file")
	}
	rows := map[string]bool{}
	for _, row := range catalogue.Rows() {
		rows[row.ID] = true
	}
	for i := range list.Expected {
		entry := &list.Expected[i]
		where := fmt.Sprintf("%s, entry %d", expectedFile, i+1)
		if !rows[entry.Row] {
			return nil, problem.Usage(fmt.Sprintf("there is no row %q", entry.Row), where, "use an id of the catalogue")
		}
		if entry.Match == "" || entry.Reason == "" || entry.Link == "" {
			return nil, problem.Usage("an entry needs match, reason and link", where, "fill them in")
		}
		pattern, err := regexp.Compile(entry.Match)
		if err != nil {
			return nil, problem.Usage(fmt.Sprintf("match is no regular expression: %v", err), where, "correct it")
		}
		entry.pattern = pattern
	}
	return list.Expected, nil
}

// judge parts findings into those nothing explains and those an expectation excuses; the
// latter carry row and reason.
func judge(findings []string, expected []expectation) (unexplained, excused []string) {
	for _, finding := range findings {
		if by := excuse(finding, expected); by != nil {
			excused = append(excused, fmt.Sprintf("%s (expected by %s: %s, %s)", finding, by.Row, by.Reason, by.Link))
			continue
		}
		unexplained = append(unexplained, finding)
	}
	return unexplained, excused
}

func excuse(finding string, expected []expectation) *expectation {
	for i := range expected {
		if expected[i].pattern.MatchString(finding) {
			return &expected[i]
		}
	}
	return nil
}
