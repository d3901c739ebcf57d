package echo

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mesh-conformance/suites/internal/kube"
)

// Received is one request as the echo server logged it: it tells of requests whose answer nobody got to see.
type Received struct {
	// Proto is HTTP's version, or GRPC.
	Proto string
	// Method and URL are those of HTTP, Message that of gRPC.
	Method, URL, Message string
	// Host is the authority.
	Host string

	headers, answered string
}

// Header is the first value of a request header, "" where there is none.
func (r Received) Header(name string) string { return loggedHeader(r.headers, name) }

// Answered is the first value of a header of the server's answer to it, "" where there is none: the server
// sets those that the request's form, in query or body, has under "headers".
func (r Received) Answered(name string) string { return loggedHeader(r.answered, name) }

// Received reads from the server's log what requests a workload has got since a moment, the kubelet's
// probes included. The answer may begin up to one second early: see kube.Client's Logs.
func (w *Workload) Received(ctx context.Context, since time.Time) ([]Received, error) {
	text, err := kube.Shared().Logs(ctx, w.Namespace, w.Pod.Name, Container, since)
	if err != nil {
		return nil, err
	}
	return ParseLog(text)
}

var (
	requestLine  = regexp.MustCompile(`\tinfo\tendpoint\t(\S+) Request\t(.*) headers=map\[(.*)\] id=(\S+)$`)
	responseLine = regexp.MustCompile(`\tinfo\tendpoint\t\S+ Response\t.*headers=map\[(.*)\] id=(\S+)$`)
	httpFields   = regexp.MustCompile(`^remoteAddr=\S* method=(\S+) url=(\S+) host=(\S*)$`)
)

// ParseLog reads the echo server's log. Request and answer are two lines with the same id.
func ParseLog(text string) ([]Received, error) {
	var all []Received
	index := map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if found := responseLine.FindStringSubmatch(line); found != nil {
			if at, known := index[found[2]]; known {
				all[at].answered = found[1]
			}
			continue
		}
		found := requestLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		one := Received{Proto: found[1], headers: found[3]}
		if message, ok := strings.CutPrefix(found[2], "message="); ok {
			one.Message, one.Host = message, one.Header(":authority")
		} else {
			fields := httpFields.FindStringSubmatch(found[2])
			if fields == nil {
				return nil, fmt.Errorf("read the echo server's log: %q", line)
			}
			one.Method, one.URL, one.Host = fields[1], fields[2], fields[3]
		}
		index[found[4]] = len(all)
		all = append(all, one)
	}
	return all, nil
}

// loggedHeader finds a header among those of a line, which are written as Go prints a map of lists. gRPC
// writes names in small letters.
func loggedHeader(headers, name string) string {
	// The blank keeps a header apart from those whose names end in the same letters.
	headers = " " + headers
	wanted := " " + strings.ToLower(name) + ":["
	at := strings.Index(strings.ToLower(headers), wanted)
	if at < 0 {
		return ""
	}
	value, _, _ := strings.Cut(headers[at+len(wanted):], "]")
	return value
}
