package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/kindconfig"
)

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	lines := make(chan string, 10)
	stop := follow(path, func(line string) { lines <- line })
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	put := func(text string) {
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	put("one\ntw")
	if got := <-lines; got != "one" {
		t.Errorf("first line %q", got)
	}
	put("o\n")
	if got := <-lines; got != "two" {
		t.Errorf("a line written in two parts: %q", got)
	}
	put("\nlast\ncut off")
	stop()
	close(lines)
	var rest []string
	for line := range lines {
		rest = append(rest, line)
	}
	if !slices.Equal(rest, []string{"", "last"}) {
		t.Errorf("stopping shows %q", rest)
	}
}

func TestFollowAFileThatNeverComes(t *testing.T) {
	follow(filepath.Join(t.TempDir(), "missing"), func(line string) { t.Errorf("shown: %q", line) })()
}

func TestStepsTo(t *testing.T) {
	var shown []string
	show := stepsTo(func(line string) { shown = append(shown, line) })
	for _, line := range []string{
		"kind    0.1s • Preparing nodes 📦", "  14.7s the API server answers", "✔ Istiod installed",
		"plane dataplane ready after 21.7s", "", " 121.0s the stock istiod is ready", "    apply.go:223: Creating x",
	} {
		show(line)
	}
	if want := []string{"  14.7s the API server answers", " 121.0s the stock istiod is ready"}; !slices.Equal(shown, want) {
		t.Errorf("steps %q", shown)
	}
}

func TestEventsTo(t *testing.T) {
	var shown []kindconfig.Event
	show := eventsTo(func(e kindconfig.Event) { shown = append(shown, e) })
	show(`{"id":"a/b","state":"passed","seconds":1.5}`)
	show(`{"id":"a/c`)
	if len(shown) != 1 || shown[0].ID != "a/b" || shown[0].Seconds != 1.5 {
		t.Errorf("events %+v", shown)
	}
}

func TestEventLines(t *testing.T) {
	long := strings.Repeat("why ", 100)
	for _, c := range []struct {
		event kindconfig.Event
		want  []string
	}{
		{kindconfig.Event{ID: "gatewayapi.http.X", Name: "X: a sentence", State: "passed", Seconds: 1.26, Message: "ignored"},
			[]string{" 7/88  passed          1.3s  gatewayapi.http.X"}},
		{kindconfig.Event{Row: "mirroring", Name: "copies", State: "failed", Seconds: 62, Message: long},
			[]string{" 7/88  failed         62.0s  mirroring: copies", strings.Repeat(" ", 29) + long}},
		{kindconfig.Event{ID: "a/b", State: "undecided", Seconds: 1, Message: "time ran out"},
			[]string{" 7/88  undecided       1.0s  a/b", strings.Repeat(" ", 29) + "time ran out"}},
		{kindconfig.Event{ID: "a/b", State: "failed"}, []string{" 7/88  failed          0.0s  a/b"}},
	} {
		if got := eventLines(7, 88, c.event); !slices.Equal(got, c.want) {
			t.Errorf("lines of %+v:\n%q, want\n%q", c.event, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{{"ängström", 8, "ängström"}, {"ängström", 5, "ängs…"}, {"a word", 4, "a w…"}, {"a word", 3, "a…"}, {"all", 0, "all"}} {
		if got := cut(c.line, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}

func TestDisplayWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	d := newDisplay(&out, 2)
	d.line("  14.7s the API server answers")
	d.event(kindconfig.Event{ID: "a/b", State: "passed"})
	d.event(kindconfig.Event{ID: "a/c", State: "known-defect", Message: strings.Repeat("x", 300)})
	d.close()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4 || lines[1] != "1/2  passed          0.0s  a/b" || !strings.HasPrefix(lines[2], "2/2  known-defect ") {
		t.Errorf("shown:\n%s", out.String())
	}
	for _, line := range lines {
		if len([]rune(line)) > plainWidth {
			t.Errorf("a line of %d columns", len([]rune(line)))
		}
	}
	if terminalColumns(&out) != 0 {
		t.Errorf("a buffer has %d columns", terminalColumns(&out))
	}
}
