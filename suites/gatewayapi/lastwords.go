package gatewayapi

import (
	"io"
	"regexp"
	"strings"
	"sync"
)

// lastWords keeps what tells why an upstream test failed, out of all it prints.
type lastWords struct {
	mu     sync.Mutex
	errors []string
	last   string
}

// beside gives a writer that keeps the telling lines and passes everything on.
func (w *lastWords) beside(next io.Writer) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		w.read(string(p))
		return next.Write(p)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var (
	// testify prints its failures as "Error:      \t<message>" and "Messages:   \t<words of the test>".
	testifyField = regexp.MustCompile(`^\s*(Error|Messages):\s+(.*\S)\s*$`)
	// the conformance helpers log why a request did not count yet, and how long they have waited.
	notReady = regexp.MustCompile(`(?i)(expectation failed.*|not ready yet.*|did not.*|expected .*)$`)
)

func (w *lastWords) read(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if match := testifyField.FindStringSubmatch(line); match != nil {
		w.errors = append(w.errors, match[2])
		return
	}
	if match := notReady.FindString(strings.TrimSpace(line)); match != "" {
		w.last = match
	}
}

// why is one line: the failed assertions, then the last thing the helpers were waiting for.
func (w *lastWords) why() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := append([]string(nil), w.errors...)
	if w.last != "" {
		parts = append(parts, "last seen: "+w.last)
	}
	if len(parts) == 0 {
		return "see its output in the log"
	}
	return strings.Join(parts, "; ")
}
