package match

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	// timedOut is the line that Gomega puts before what an Eventually or Consistently has to say.
	timedOut = regexp.MustCompile(`^(Timed out|Failed|Context was cancelled.*?|The matcher.*?|Told to .*?) after ([0-9.]+)s\.\s*`)
	// asGo is the Go type that Gomega prints before a value.
	asGo = regexp.MustCompile(`<[*\[\]{}A-Za-z0-9_./ ]+(?: \| [^>]*)?>:? ?`)
	// erred are Gomega's own words for a function that gave an error, which follows them.
	erred = regexp.MustCompile(`(?m)^(?:The function passed to (?:Eventually|Consistently) returned the following error:|Unexpected error:|Expected success, but got an error:)\s*`)
	// dump is where Gomega begins to print an error or an object as Go data, after its words.
	dump = regexp.MustCompile(`(?m)^\s*(?:<[*][^>]*>: ?)?[{]`)
)

// headlineRunes bounds a headline: one line of a terminal's table, or two.
const headlineRunes = 300

// Headline is a failure's message in one line, what was expected and what was seen before how long it
// was waited for: reports and terminals show the first line of a failure, and Gomega's is "Timed out
// after 30.001s.".
func Headline(message string) string {
	waited := ""
	if found := timedOut.FindStringSubmatch(message); found != nil {
		message = message[len(found[0]):]
		waited = " (" + strings.ToLower(found[1]) + " after " + found[2] + "s)"
	}
	// What the assertion was about stands before an error, where it was given.
	said := strings.TrimPrefix(erred.ReplaceAllString(strings.TrimSpace(message), ": "), ": ")
	if at := dump.FindStringIndex(said); at != nil && at[0] > 0 {
		said = said[:at[0]]
	}
	said = strings.Join(strings.Fields(asGo.ReplaceAllString(said, "")), " ")
	said = strings.Replace(said, " : ", ": ", 1)
	if room := headlineRunes - len(waited); utf8.RuneCountInString(said) > room {
		said = string([]rune(said)[:room-1]) + "…"
	}
	return said + waited
}

// WithHeadline puts its headline before a message of several lines.
func WithHeadline(message string) string {
	message = strings.TrimSpace(message)
	if !strings.Contains(message, "\n") {
		return message
	}
	return Headline(message) + "\n\n" + message
}
