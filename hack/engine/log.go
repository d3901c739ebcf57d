package engine

import (
	"os"
	"regexp"
	"strconv"
	"strings"
)

const (
	// tailBytes is how much of a log's end is read.
	tailBytes = 64 << 10
	// tailLines is how many of its last lines are looked at: what went wrong long before
	// the end is not why it ended.
	tailLines = 40
	// quotedLines is how many complaints an error quotes.
	quotedLines = 3
)

// complaint are the lines in which a daemon says that something is wrong. One that does not
// even start says why in a line without a level.
var complaint = regexp.MustCompile(`level=(error|fatal|panic)|^(panic|fatal error|failed|unable|Error)`)

// message is what a line says, without time and level.
var message = regexp.MustCompile(`msg=("(?:[^"\\]|\\.)*"|\S+)`)

// complaints are the last complaints in a log.
func complaints(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "its log cannot be read"
	}
	return lastComplaints(string(text[max(0, len(text)-tailBytes):]))
}

// lastComplaints quotes complaints near the end of a log, or its last line where there are none.
func lastComplaints(log string) string {
	lines := strings.FieldsFunc(log, func(r rune) bool { return r == '\n' })
	lines = lines[max(0, len(lines)-tailLines):]
	if len(lines) == 0 {
		return "its log is empty"
	}
	var wrong []string
	for _, line := range lines {
		if complaint.MatchString(line) {
			wrong = append(wrong, said(line))
		}
	}
	if len(wrong) == 0 {
		return "its log complains of nothing and ends with: " + said(lines[len(lines)-1])
	}
	return strings.Join(wrong[max(0, len(wrong)-quotedLines):], " | ")
}

// said is a line's message; a line of another form is all message.
func said(line string) string {
	found := message.FindStringSubmatch(line)
	if found == nil {
		return strings.TrimSpace(line)
	}
	if text, err := strconv.Unquote(found[1]); err == nil {
		return text
	}
	return found[1]
}
