package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// tick is how often the meter looks at the machine, and sampleLength how long it looks for one sample.
	tick         = 50 * time.Millisecond
	sampleLength = time.Second
	// scanEvery is how many samples pass between two scans of all processes, which cost some ten milliseconds.
	scanEvery = 5
)

// Meter measures the machine.
type Meter struct {
	// Proc is the folder of the kernel's process files; empty means /proc.
	Proc string
	// Cores is the number of cores; 0 means all that this process may use.
	Cores int
	// Builds, if set, lists the ids of the threads of builds, whose waiting slows nothing else down.
	Builds func() ([]string, error)
	// Clusters, if set, returns the processor time that all clusters of the run have used so far. Without it, shares
	// are of what the whole machine has used.
	Clusters func() (time.Duration, error)
	// Group, if set, is the path of the control group that holds these clusters: processes of the build under test outside of it, such as
	// those of another run, are not counted.
	Group string
}

// Measure calls each for every sample, about once a second, until the context ends. It does not return before.
func (m Meter) Measure(ctx context.Context, each func(Sample)) {
	if m.Proc == "" {
		m.Proc = "/proc"
	}
	if m.Cores == 0 {
		m.Cores = runtime.NumCPU()
	}
	usage := m.usage()
	var shares shares
	stalled := m.stalled()
	for n := 0; ; n++ {
		sample, ok := m.sample(ctx)
		if !ok {
			return
		}
		if now := m.stalled(); stalled >= 0 && now >= 0 {
			sample.Pressure = min(1, (now-stalled).Seconds()/sample.Seconds)
			stalled = now
		}
		if n%scanEvery == scanEvery-1 {
			now := m.usage()
			shares = now.since(usage)
			usage = now
		}
		sample.Used, sample.Subject, sample.Busiest = shares.used, shares.subject, shares.busiest
		each(sample)
	}
}

// Glance measures so many samples, about a second each, and returns their lag; the end of the context ends it early.
func (m Meter) Glance(ctx context.Context, count int) Lag {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var samples []Sample
	m.Measure(ctx, func(s Sample) {
		if samples = append(samples, s); len(samples) == count {
			cancel()
		}
	})
	if len(samples) == 0 {
		return Lag{}
	}
	return Between(samples, samples[0].begun(), samples[len(samples)-1].At)
}

// sample looks at the machine for sampleLength.
func (m Meter) sample(ctx context.Context) (Sample, bool) {
	begun := time.Now()
	s := Sample{Pressure: -1}
	var lates []float64
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for due := begun.Add(tick); ; due = time.Now().Add(tick) {
		select {
		case <-ctx.Done():
			return s, false
		case <-timer.C:
			// What counts is when the process runs again, not when the timer fired.
			now := time.Now()
			late := max(0, float64(now.Sub(due))/float64(time.Millisecond))
			lates = append(lates, late)
			s.Runnable += float64(m.runnable())
			if now.Sub(begun) >= sampleLength {
				s.At, s.Seconds = now.UTC(), now.Sub(begun).Seconds()
				slices.Sort(lates)
				s.Late, s.Worst = lates[len(lates)/2], lates[len(lates)-1]
				s.Runnable = max(0, s.Runnable/float64(len(lates))-float64(m.runnableBuilds())) / float64(m.Cores)
				return s, true
			}
			timer.Reset(tick)
		}
	}
}

// runnable reads how many threads of the machine run or wait for a core, this one left out; 0 where the kernel does
// not tell.
func (m Meter) runnable() int {
	content, err := os.ReadFile(filepath.Join(m.Proc, "loadavg"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 4 {
		return 0
	}
	running, _, _ := strings.Cut(fields[3], "/")
	n, err := strconv.Atoi(running)
	if err != nil {
		return 0
	}
	return max(0, n-1)
}

// runnableBuilds counts the threads of builds that run or wait for a core.
func (m Meter) runnableBuilds() int {
	if m.Builds == nil {
		return 0
	}
	threads, err := m.Builds()
	if err != nil {
		return 0
	}
	count := 0
	for _, thread := range threads {
		if stat, ok := m.stat(thread); ok && stat.state == "R" {
			count++
		}
	}
	return count
}

// stalled reads for how long some thread has waited for a core since the machine started; -1 where the kernel does
// not tell.
func (m Meter) stalled() time.Duration {
	content, err := os.ReadFile(filepath.Join(m.Proc, "pressure", "cpu"))
	if err != nil {
		return -1
	}
	line, _, _ := strings.Cut(string(content), "\n")
	_, total, found := strings.Cut(line, "total=")
	microseconds, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	if !found || err != nil {
		return -1
	}
	return time.Duration(microseconds) * time.Microsecond
}

// Recorder appends samples to a file, a JSON line each.
type Recorder struct{ file *os.File }

// NewRecorder opens the file of a run's samples, which need not exist.
func NewRecorder(path string) (*Recorder, error) {
	file, err := os.OpenFile(filepath.Clean(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("record what is measured of the machine: %w", err)
	}
	return &Recorder{file}, nil
}

// Add appends a sample.
func (r *Recorder) Add(s Sample) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(line, '\n'))
	return err
}

// Close ends the recording.
func (r *Recorder) Close() error { return r.file.Close() }
