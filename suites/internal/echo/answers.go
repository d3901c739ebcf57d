package echo

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Answer is what came back for one request.
type Answer struct {
	Status int
	// ResponseHeaders are those the caller received.
	ResponseHeaders http.Header
	Body            string
	// Certificate is what the far end presented to a call from the host; nil without TLS.
	Certificate *x509.Certificate

	// The rest is what the echo server saw, empty where something else answered.

	// Hostname is the name of the pod that answered.
	Hostname       string
	Host           string
	URL            string
	Method         string
	Proto          string
	RequestHeaders http.Header
}

// Answers is the outcome of one set of requests.
type Answers struct {
	// Way is who asked whom, for messages.
	Way string
	// Sent is how many requests were made.
	Sent int
	// All are the answers. The echo client gives none where any of its requests failed.
	All []Answer
	// Failed is how many requests got no answer; Failure is why the first of them did not, in
	// the words of the caller's machine.
	Failed  int
	Failure string
}

// And puts a further set of the same requests to these. The way is the further set's, the failure the first.
func (a Answers) And(further Answers) Answers {
	a.Way = further.Way
	a.Sent += further.Sent
	a.All = append(a.All, further.All...)
	if a.Failed == 0 {
		a.Failure = further.Failure
	}
	a.Failed += further.Failed
	return a
}

// String sums the answers up, alike ones together: "20 sent: 20 × 200 from server-1".
func (a Answers) String() string {
	var kinds []string
	count := map[string]int{}
	for _, answer := range a.All {
		kind := answer.String()
		if count[kind] == 0 {
			kinds = append(kinds, kind)
		}
		count[kind]++
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d × %s", count[kind], kind)
	}
	if a.Failed > 0 {
		kinds = append(kinds, fmt.Sprintf("%d failed: %s", a.Failed, a.Failure))
	}
	if len(kinds) == 0 {
		kinds = []string{"no answer"}
	}
	return fmt.Sprintf("%d sent: %s", a.Sent, strings.Join(kinds, ", "))
}

// bodyShown is how much of a foreign answer's body its summary quotes.
const bodyShown = 80

// String is the answer in a few words.
func (a Answer) String() string {
	if a.Hostname != "" {
		return fmt.Sprintf("%d from %s", a.Status, a.Hostname)
	}
	body := strings.TrimSpace(a.Body)
	if body == "" {
		return fmt.Sprintf("%d without a body", a.Status)
	}
	return fmt.Sprintf("%d %.*q", a.Status, bodyShown, body)
}

// Client is the SPIFFE id of the caller as the server's proxy passed it on in
// X-Forwarded-Client-Cert, "" where it did not: the caller had no certificate.
func (a Answer) Client() string {
	// Each proxy on the way appends an element; the last is the one nearest to the server.
	elements := splitOutsideQuotes(strings.Join(a.RequestHeaders.Values("X-Forwarded-Client-Cert"), ","), ',')
	for _, field := range splitOutsideQuotes(elements[len(elements)-1], ';') {
		if key, value, _ := strings.Cut(field, "="); strings.EqualFold(strings.TrimSpace(key), "URI") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// splitOutsideQuotes leaves separators in quoted values alone: a certificate's subject has commas.
func splitOutsideQuotes(text string, separator rune) []string {
	var parts []string
	quoted, begin := false, 0
	for at, character := range text {
		switch character {
		case '"':
			quoted = !quoted
		case separator:
			if !quoted {
				parts = append(parts, text[begin:at])
				begin = at + 1
			}
		}
	}
	return append(parts, text[begin:])
}

// readBody takes in one line of the echo server's answer; other servers' lines change nothing.
func (a *Answer) readBody(line string) {
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return
	}
	switch key {
	case "Hostname":
		a.Hostname = value
	case "Host":
		a.Host = value
	case "URL":
		a.URL = value
	case "Method":
		a.Method = value
	case "Proto":
		a.Proto = value
	case "RequestHeader":
		addHeader(a.RequestHeaders, value)
	}
}

func addHeader(headers http.Header, line string) {
	if name, value, ok := strings.Cut(line, ":"); ok {
		headers.Add(name, value)
	}
}

// parseOutput reads what the echo client printed for its requests. Lines begin with the number
// of their request: "[3] StatusCode=200", "[3] ResponseHeader=Date:...", "[3 body] Hostname=...".
func parseOutput(output string) ([]Answer, error) {
	var answers []Answer
	index := map[int]int{}
	for line := range strings.Lines(output) {
		number, inBody, text, ok := splitLine(strings.TrimRight(line, "\r\n"))
		if !ok {
			continue
		}
		at, seen := index[number]
		if !seen {
			at = len(answers)
			index[number] = at
			answers = append(answers, Answer{ResponseHeaders: http.Header{}, RequestHeaders: http.Header{}})
		}
		answer := &answers[at]
		if inBody {
			answer.Body += text + "\n"
			answer.readBody(text)
		}
		switch key, value, _ := strings.Cut(text, "="); {
		// Over TCP there is no status but the one that the echo server writes into its body.
		case key == "StatusCode" && answer.Status == 0:
			status, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("read the echo client's output: status %q", value)
			}
			answer.Status = status
		case key == "ResponseHeader" && !inBody:
			addHeader(answer.ResponseHeaders, value)
		}
	}
	for _, answer := range answers {
		if answer.Status == 0 {
			return nil, fmt.Errorf("read the echo client's output: a request without a status in %q", output)
		}
	}
	return answers, nil
}

func splitLine(line string) (number int, inBody bool, text string, ok bool) {
	rest, found := strings.CutPrefix(line, "[")
	if !found {
		return 0, false, "", false
	}
	tag, text, found := strings.Cut(rest, "] ")
	if !found {
		return 0, false, "", false
	}
	tag, inBody = strings.CutSuffix(tag, " body")
	number, err := strconv.Atoi(tag)
	return number, inBody, text, err == nil
}
