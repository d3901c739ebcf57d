package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"mesh-conformance/kindconfig"
)

// plainWidth is where lines end that go to a file.
const plainWidth = 160

// display shows what a run does, line by line, and on a terminal a bar of the finished specs below.
type display struct {
	mu       sync.Mutex
	out      io.Writer
	width    int
	finished int
	total    int
	// progress and bar are nil elsewhere than on a terminal.
	progress *mpb.Progress
	bar      *mpb.Bar
}

// newDisplay shows a run of so many specs.
func newDisplay(out io.Writer, total int) *display {
	d := &display{out: out, width: plainWidth, total: total}
	if width := terminalColumns(out); width > 0 {
		d.width = width
		d.progress = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
		d.bar = d.progress.AddBar(int64(total),
			mpb.PrependDecorators(decor.Name("specs ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d of %d"), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 8})))
		d.out = d.progress
	}
	return d
}

// line shows anything.
func (d *display) line(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.print(text)
}

// event shows a finished spec.
func (d *display) event(e kindconfig.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finished++
	for _, line := range eventLines(d.finished, d.total, e) {
		d.print(line)
	}
	if d.bar != nil {
		d.bar.Increment()
	}
}

// print cuts to the width; the results have everything.
func (d *display) print(text string) { _, _ = fmt.Fprintln(d.out, cut(text, d.width)) }

// close ends the bar, finished or not; nothing may be shown afterwards.
func (d *display) close() {
	if d.progress != nil {
		d.bar.Abort(false)
		d.progress.Wait()
	}
}

// eventLines are the line of one finished spec and, where it did not pass, one that says why.
func eventLines(finished, total int, e kindconfig.Event) []string {
	name := e.ID
	if name == "" {
		name = e.Row + ": " + e.Name
	}
	width := len(fmt.Sprint(total))
	lines := []string{fmt.Sprintf("%*d/%d  %-12s %6.1fs  %s", width, finished, total, e.State, e.Seconds, name)}
	if e.Message != "" && e.State != "passed" {
		lines = append(lines, strings.Repeat(" ", 2*width+25)+e.Message)
	}
	return lines
}

// cut shortens a line to so many columns; none means all.
func cut(line string, columns int) string {
	runes := []rune(line)
	if columns <= 0 || len(runes) <= columns {
		return line
	}
	return strings.TrimRight(string(runes[:columns-1]), " ") + "…"
}

// terminalColumns is 0 where out is no terminal.
func terminalColumns(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return width
		}
	}
	return 0
}
