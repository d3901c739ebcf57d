package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// NewProgress shows builds as bars where out is a terminal, as plain lines elsewhere. The returned
// function ends the display.
func NewProgress(out io.Writer, terminal bool) (Progress, func()) {
	if !terminal {
		return &lines{out: out, now: time.Now}, func() {}
	}
	bars := &bars{progress: mpb.New(
		mpb.WithOutput(out), mpb.WithWidth(30), mpb.WithRefreshRate(refresh), mpb.WithAutoRefresh())}
	return bars, bars.end
}

// refresh is the time between two states of the bars.
const refresh = 200 * time.Millisecond

// lines prints one line when a build begins and one when it ends.
type lines struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	total int
	done  int
}

func (l *lines) Plan(expected Estimate) {
	l.mu.Lock()
	l.total, l.done = expected.Artifacts, 0
	l.mu.Unlock()
	if expected.Artifacts > 0 {
		l.Note(expected.String())
	}
}

func (l *lines) Start(name string, usual Usual) func(error) {
	begun := l.now()
	l.Note(fmt.Sprintf("building %s, %s", name, usual))
	return func(err error) {
		took := l.now().Sub(begun)
		if err != nil {
			l.Note(ending(name, took, err))
			return
		}
		l.mu.Lock()
		l.done++
		done, total := l.done, l.total
		l.mu.Unlock()
		l.Note(fmt.Sprintf("built    %s in %s (%d of %d)", name, took.Round(time.Second), done, total))
	}
}

func (l *lines) Note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.out, "%s %s\n", l.now().Format(time.TimeOnly), line)
}

// ending returns one line about a build that did not succeed.
func ending(name string, took time.Duration, err error) string {
	if errors.Is(err, context.Canceled) {
		return fmt.Sprintf("stopped  %s after %s", name, took.Round(time.Second))
	}
	reason := strings.Join(strings.Fields(err.Error()), " ")
	return fmt.Sprintf("failed   %s after %s: %s", name, took.Round(time.Second), reason)
}

// String returns the words of a progress line.
func (u Usual) String() string {
	if u.Recorded {
		return short(u.Time) + " last time"
	}
	return "about " + short(u.Time) + " on a quiet two-core machine"
}

// short returns a time in whole minutes, or in seconds below two minutes, as in 12m or 45s.
func short(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0fs", max(d, time.Second).Seconds())
	}
	return fmt.Sprintf("%.0fm", d.Minutes())
}

// bars shows a bar for each build under way: elapsed against expected time.
type bars struct {
	progress *mpb.Progress
	overall  *mpb.Bar

	mu sync.Mutex
	// noted is when the last line was printed above the bars.
	noted time.Time
}

// end ends the display. mpb prints lines with the next state of the bars, and drops them when it is shut down before.
func (b *bars) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	time.Sleep(time.Until(b.noted.Add(2 * refresh)))
	b.progress.Shutdown()
}

func (b *bars) Plan(expected Estimate) {
	if expected.Artifacts == 0 {
		return
	}
	b.Note(expected.String())
	b.overall = b.progress.AddBar(int64(expected.Artifacts), mpb.BarPriority(1<<20),
		mpb.PrependDecorators(decor.Name("all", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersNoUnit("%d of %d"), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 8}),
			decor.Name(" of about "+inMinutes(expected.Time))))
}

// Note prints a line above the bars.
func (b *bars) Note(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noted = time.Now()
	_, _ = fmt.Fprintln(b.progress, line)
}

func (b *bars) Start(name string, usual Usual) func(error) {
	total := int64(max(usual.Time, time.Second))
	bar := b.progress.AddBar(total, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS), decor.Name(", "+usual.String())))
	stop := make(chan struct{})
	begun := time.Now()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// A build that takes longer than usual keeps a full bar, but not a finished one.
				bar.SetCurrent(min(int64(time.Since(begun)), total-1))
			case <-stop:
				return
			}
		}
	}()
	return func(err error) {
		close(stop)
		if err != nil {
			bar.Abort(false)
			b.Note(ending(name, time.Since(begun), err))
			return
		}
		bar.SetCurrent(total)
		b.overall.Increment()
	}
}
