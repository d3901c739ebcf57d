// Package evidence attaches to a spec's report what the spec saw and the commands that show it again.
package evidence

import (
	"fmt"

	"github.com/onsi/ginkgo/v2"
)

// Level says how deep the evidence reaches: DESIGN's traffic, config and api.
type Level string

// The levels, strongest first.
const (
	LevelTraffic Level = "traffic"
	LevelConfig  Level = "config"
	LevelAPI     Level = "api"
)

// Entry names of the report entries, by which the collector of results finds them.
const (
	EntryEvidence = "evidence"
	EntryReplay   = "replay"
)

// Item is one thing seen.
type Item struct {
	Level Level  `json:"level"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// String is the item in one line.
func (i Item) String() string { return fmt.Sprintf("[%s] %s: %s", i.Level, i.Name, i.Value) }

// Traffic records what requests or connections showed, for example "answers" "1000 × 200".
func Traffic(name, format string, args ...any) { record(LevelTraffic, name, format, args...) }

// Config records what istiod or a proxy held.
func Config(name, format string, args ...any) { record(LevelConfig, name, format, args...) }

// API records what objects, their status or the API server's answers showed.
func API(name, format string, args ...any) { record(LevelAPI, name, format, args...) }

// Replay records a command with which a user repeats a step by hand.
func Replay(format string, args ...any) {
	ginkgo.AddReportEntry(EntryReplay, fmt.Sprintf(format, args...), ginkgo.ReportEntryVisibilityNever)
}

func record(level Level, name, format string, args ...any) {
	item := Item{Level: level, Name: name, Value: fmt.Sprintf(format, args...)}
	ginkgo.AddReportEntry(EntryEvidence, item, ginkgo.ReportEntryVisibilityNever)
}
