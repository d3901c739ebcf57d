package reports

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements and attributes that every reader of JUnit files accepts. Ginkgo's own structs carry more (status,
// disabled, properties of a test case), which strict readers such as Jenkins' schema refuse.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitMessage `xml:"failure"`
	Error     *junitMessage `xml:"error"`
	Skipped   *junitMessage `xml:"skipped"`
	SystemOut string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// messageLimit keeps the attribute that CI systems show in lists to a line; the element's text holds everything.
const messageLimit = 300

// JUnit renders the results for CI systems: a test suite for each row. Known defects, exemptions and specs that did
// not run are skipped, with reason and link, since JUnit knows no other word for "not a pass". An undecided spec is
// an error, JUnit's word for a test that broke off before its assertion was decided: CI systems show a skipped test
// as green, and a failure blames the build. A row without specs is one skipped case, so that it does not vanish; what
// is wrong with the run itself is a failed case.
func JUnit(r *Results) ([]byte, error) {
	report := junitSuites{Name: fmt.Sprintf("%s on Kubernetes %s", r.Cell.subject(), r.Cell.Kubernetes), Time: junitTime(r.Run.Seconds)}
	properties := junitProperties(r)
	add := func(suite junitSuite) {
		suite.Timestamp = r.Run.Started.UTC().Format("2006-01-02T15:04:05")
		suite.Properties = properties
		suite.Tests = len(suite.Cases)
		for _, testcase := range suite.Cases {
			if testcase.Failure != nil {
				suite.Failures++
			}
			if testcase.Error != nil {
				suite.Errors++
			}
			if testcase.Skipped != nil {
				suite.Skipped++
			}
		}
		report.Tests += suite.Tests
		report.Failures += suite.Failures
		report.Errors += suite.Errors
		report.Suites = append(report.Suites, suite)
	}
	if faults := append(gapsOf(r), r.Problems...); len(faults) > 0 {
		suite := junitSuite{Name: "run", Time: junitTime(0)}
		for _, fault := range faults {
			suite.Cases = append(suite.Cases, junitCase{Name: oneLine(fault, messageLimit), Classname: "run", Time: junitTime(0),
				Failure: &junitMessage{Type: "problem", Message: oneLine(fault, messageLimit), Text: plain(fault)}})
		}
		add(suite)
	}
	for _, row := range rowViews(r) {
		add(junitRow(row))
	}
	data, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode JUnit: %w", err)
	}
	return []byte(xml.Header + string(data) + "\n"), nil
}

func junitRow(row rowView) junitSuite {
	class := strings.ReplaceAll(row.ID, "/", ".")
	suite := junitSuite{Name: row.ID + ": " + row.Title, Time: junitTime(row.Seconds)}
	if len(row.Specs) == 0 {
		suite.Cases = []junitCase{{Name: row.Title, Classname: class, Time: junitTime(0),
			Skipped: &junitMessage{Type: string(StateNotRun), Message: "not run: no spec of this row ran"}}}
	}
	for _, spec := range row.Specs {
		testcase := junitCase{Name: oneLine(spec.Name, 0), Classname: class, Time: junitTime(spec.Seconds), SystemOut: junitOutput(spec)}
		switch spec.State {
		case StatePassed:
		case StateFailed, StateFlaky, StateUndecided:
			text := []string{plain(spec.Failure)}
			if spec.Location != "" {
				text = append(text, "at "+spec.Location)
			}
			if spec.Diagnostics != "" {
				text = append(text, "diagnostics: "+spec.Diagnostics)
			}
			if machine := machineOf(spec); machine != "" {
				text = append(text, "machine: "+machine)
			}
			message := why(spec, messageLimit)
			if spec.State == StateFlaky {
				message = fmt.Sprintf("flaky, passed at attempt %d: %s", spec.Attempts, message)
			}
			said := &junitMessage{Type: string(spec.State), Message: message, Text: strings.Join(text, "\n")}
			if spec.State == StateUndecided {
				said.Message = "undecided: " + message
				testcase.Error = said
			} else {
				testcase.Failure = said
			}
		default:
			message := spec.State.words() + ": " + why(spec, messageLimit)
			if spec.Link != "" {
				message += " (" + spec.Link + ")"
			}
			testcase.Skipped = &junitMessage{Type: string(spec.State), Message: message, Text: plain(spec.Failure)}
		}
		suite.Cases = append(suite.Cases, testcase)
	}
	return suite
}

func junitOutput(spec Spec) string {
	var lines []string
	if repaired := why(spec, 0); spec.State == StatePassed && repaired != "" {
		lines = append(lines, repaired)
	}
	lines = append(lines, "spec "+spec.ID)
	if spec.List != "" {
		lines = append(lines, "from the vendor's list "+spec.List)
	}
	for _, seen := range spec.Evidence {
		lines = append(lines, fmt.Sprintf("[%s] %s: %s", seen.Level, seen.Name, seen.Value))
	}
	if len(spec.Replay) > 0 {
		lines = append(lines, "replay by hand:")
		for _, command := range spec.Replay {
			lines = append(lines, "  "+command)
		}
	}
	return plain(strings.Join(lines, "\n"))
}

func junitProperties(r *Results) []junitProperty {
	var properties []junitProperty
	for _, spec := range repairedIn(r, RepairedHere) {
		properties = append(properties, junitProperty{"repaired", spec.ID})
	}
	properties = append(properties, []junitProperty{
		{"run", r.Run.ID},
		{"command", r.Run.Command},
		{"filter", r.Run.Filter},
		{"kubernetes", r.Cell.Kubernetes},
		{"istio", r.Cell.Istio},
		{"source", string(r.Cell.Source)},
		{"proxy", string(r.Cell.Proxy.Flavour) + " " + r.Cell.Proxy.Version},
		{"engine", r.Engine},
	}...)
	properties = append(properties, junitSubject(r.Subject)...)
	properties = append(properties, junitInstallation(r.Installation)...)
	for _, image := range r.Images {
		properties = append(properties, junitProperty{"image." + image.Name,
			strings.TrimSuffix(fmt.Sprintf("%s@%s", image.Reference, image.Digest), "@") + fmt.Sprintf(" (%s, %s)", image.Source, image.Role)})
	}
	return properties
}

func junitTime(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }
