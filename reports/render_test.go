package reports

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestJUnitSchema checks what strict readers check: known elements and attributes only, and counts that add up.
func TestJUnitSchema(t *testing.T) {
	allowed := map[string]string{
		"testsuites": "name tests failures errors time",
		"testsuite":  "name tests failures errors skipped time timestamp",
		"properties": "", "property": "name value",
		"testcase": "name classname time",
		"failure":  "type message", "error": "type message", "skipped": "type message", "system-out": "",
	}
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			data, err := JUnit(r)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			decoder := xml.NewDecoder(bytes.NewReader(data))
			for {
				token, err := decoder.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				element, ok := token.(xml.StartElement)
				if !ok {
					continue
				}
				seen[element.Name.Local]++
				attributes, known := allowed[element.Name.Local]
				if !known {
					t.Errorf("unknown element %s", element.Name.Local)
				}
				for _, attribute := range element.Attr {
					if !strings.Contains(" "+attributes+" ", " "+attribute.Name.Local+" ") {
						t.Errorf("unknown attribute %s of %s", attribute.Name.Local, element.Name.Local)
					}
				}
			}
			var report junitSuites
			if err := xml.Unmarshal(data, &report); err != nil {
				t.Fatal(err)
			}
			if report.Tests != seen["testcase"] || report.Failures != seen["failure"] || report.Errors != seen["error"] {
				t.Errorf("the file says %d tests, %d failures, %d errors, and has %v", report.Tests, report.Failures,
					report.Errors, seen)
			}
			if failed := Verdict(r) != nil; failed != (report.Failures+report.Errors > 0) {
				t.Errorf("the verdict and JUnit disagree: %v, %d failures, %d errors", failed, report.Failures, report.Errors)
			}
		})
	}
}

func TestJUnitSkipsSayWhy(t *testing.T) {
	data, err := JUnit(troubledRun())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<skipped type="known-defect" message="known defect: A route by a service&#39;s host name does not apply in the consumer&#39;s namespace (https://github.com/istio/istio/issues/44702)">`,
		`<skipped type="exempt" message="exempt: Upstream Envoy has no istio.metadata_exchange filter (https://`,
		`<skipped type="not-run" message="not run: the run was interrupted">`,
		`<skipped type="not-run" message="not run: no spec of this row ran">`,
		`<error type="undecided" message="undecided: time ran out after 30s while the machine was starved: `,
		`<failure type="flaky" message="flaky, passed at attempt 2: Expected &lt;int32&gt;: 443 to equal &lt;int32&gt;: 80">`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("junit.xml lacks %s", want)
		}
	}
}

func TestHTMLIsSelfContainedAndSafe(t *testing.T) {
	external := regexp.MustCompile(`(?i)(src\s*=|@import|url\(|<link[^>]+href="(?:https?:)?//)`)
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			data, err := HTML(r)
			if err != nil {
				t.Fatal(err)
			}
			body := string(data)
			if found := external.FindString(body); found != "" {
				t.Errorf("the page would request something: %s", found)
			}
			if n := strings.Count(body, "<script"); n != 1 {
				t.Errorf("%d scripts", n)
			}
			if strings.Contains(body, "ZgotmplZ") {
				t.Error("the template refused a value")
			}
			for _, row := range r.Rows {
				if !strings.Contains(body, row.Title) {
					t.Errorf("row %s is missing", row.ID)
				}
			}
			for _, spec := range r.Specs {
				if strings.Count(body, `id="spec-`+spec.ID+`"`) != 1 {
					t.Errorf("spec %s is not there once", spec.ID)
				}
			}
		})
	}
}

func TestHTMLShowsNoLinkThatRuns(t *testing.T) {
	r := withState(cleanRun(), StateKnownDefect, "MeshBasic")
	for i := range r.Specs {
		r.Specs[i].Link = "javascript:alert(1)"
	}
	data, err := HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "javascript:") {
		t.Error("a link of a defect runs script")
	}
}

func TestMarkdownTableCellsHold(t *testing.T) {
	r := cleanRun()
	r.Rows[0].Title = "a | b\\| <i>c</i> *d* `e`"
	var row string
	for line := range strings.Lines(string(Markdown(r))) {
		if strings.Contains(line, "gatewayapi/http`") && strings.HasPrefix(line, "|") {
			row = line
		}
	}
	unescaped := regexp.MustCompile(`(?:^|[^\\])\|`)
	if n := len(unescaped.FindAllString(row, -1)); n != 6 {
		t.Errorf("%d cell borders in %q, want 6", n, row)
	}
	if strings.Contains(row, "<i>") {
		t.Errorf("HTML of a title came through: %q", row)
	}
}

func TestMarkdownStaysBelowTheLimit(t *testing.T) {
	r := withState(cleanRun(), StateFailed)
	for i := range r.Specs {
		r.Specs[i].State, r.Specs[i].Failure = StateFailed, strings.Repeat("line <&> of a long dump\n", 20000)
	}
	r.Tally()
	// GitHub refuses a step summary beyond 1 MiB.
	if size := len(Markdown(r)); size > 1<<20 {
		t.Errorf("report.md has %d bytes", size)
	}
}

func TestSummaryFitsAScreen(t *testing.T) {
	worst := cleanRun()
	for i := range worst.Specs {
		worst.Specs[i].State, worst.Specs[i].Failure = StateFailed, strings.Repeat("very long ", 100)
	}
	worst.Problems = make([]string, 30)
	worst.Tally()
	for name, r := range map[string]*Results{"worst": worst, "troubled": troubledRun(), "empty": emptyRun()} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Summary(&out, r, "_output/latest", 80); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) > 50 {
				t.Errorf("%d lines", len(lines))
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > 80 && !strings.Contains(line, "_output/latest") {
					t.Errorf("too wide: %q", line)
				}
			}
			if !strings.Contains(out.String(), "FAILED") || !strings.Contains(out.String(), "report.html") {
				t.Errorf("the verdict or the reports are missing:\n%s", &out)
			}
		})
	}
}
