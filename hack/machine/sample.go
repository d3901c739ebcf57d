// Package machine measures how long a run waits for its machine, and judges from that whether a time-out says
// anything about the product. The driver measures; driver, suite and reports judge by the same functions.
package machine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sample is what the driver measured of the machine in about one second.
type Sample struct {
	// At is the end of the sample, Seconds its length.
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	// Late is the median lateness of a ticker in milliseconds, Worst the largest. A single thread that waits long for a
	// core on a busy machine moves the largest only; a quota that is used up makes every second tick late.
	Late  float64 `json:"late"`
	Worst float64 `json:"worst"`
	// Runnable is the mean number of threads per core that ran or waited for a core, without those of the project's own
	// builds.
	Runnable float64 `json:"runnable"`
	// Pressure is the share of the time, from 0 to 1, in which some thread waited for a core (/proc/pressure/cpu); -1
	// where the kernel does not tell.
	Pressure float64 `json:"pressure"`
	// Used is how many cores the run's clusters used on average, or the whole machine where that is not known. Subject
	// is the share of that, from 0 to 1, that processes of the build under test used; Busiest is the name of the one
	// that used most.
	Used    float64 `json:"used"`
	Subject float64 `json:"subject"`
	Busiest string  `json:"busiest,omitempty"`
	// Width is how many Ginkgo processes may run specs, Holding how many do, and Waiting how many wait for the gate.
	Width   int `json:"width"`
	Holding int `json:"holding"`
	Waiting int `json:"waiting"`
	// Factor is by how much the suite's time limits are stretched; at least 1.
	Factor float64 `json:"factor"`
}

func (s Sample) begun() time.Time { return s.At.Add(-time.Duration(s.Seconds * float64(time.Second))) }

// Overlaps reports whether a part of the sample lies between two moments. A sample without a length has no part.
func (s Sample) Overlaps(from, to time.Time) bool {
	return s.Seconds > 0 && s.At.After(from) && s.begun().Before(to)
}

// Load reads the samples that a run has written so far, oldest first. A file that does not exist has none; a last
// line that is still being written is left out. With an error it returns the samples before it.
func Load(path string) ([]Sample, error) {
	file, err := os.Open(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was measured of the machine: %w", err)
	}
	defer func() { _ = file.Close() }()
	var samples []Sample
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var sample Sample
		if json.Unmarshal(lines.Bytes(), &sample) == nil && !sample.At.IsZero() {
			samples = append(samples, sample)
		}
	}
	if err := lines.Err(); err != nil {
		return samples, fmt.Errorf("read what was measured of the machine: %w", err)
	}
	return samples, nil
}
