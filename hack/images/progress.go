package images

import (
	"fmt"
	"io"
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
	bars := &bars{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(30), mpb.WithRefreshRate(200*time.Millisecond))}
	return bars, bars.progress.Shutdown
}

// lines prints one line when a build begins and one when it ends.
type lines struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	total int
	done  int
}

func (l *lines) Plan(artifacts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total, l.done = artifacts, 0
}

func (l *lines) Start(name string, expect time.Duration) func(error) {
	begun := l.now()
	l.print("building %s, usually %s", name, expect)
	return func(err error) {
		took := l.now().Sub(begun).Round(time.Second)
		if err != nil {
			l.print("failed   %s after %s", name, took)
			return
		}
		l.mu.Lock()
		l.done++
		done, total := l.done, l.total
		l.mu.Unlock()
		l.print("built    %s in %s (%d of %d)", name, took, done, total)
	}
}

func (l *lines) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.out, "%s "+format+"\n", append([]any{l.now().Format(time.TimeOnly)}, args...)...)
}

// bars shows a bar for each build under way: elapsed against expected time.
type bars struct {
	progress *mpb.Progress
	overall  *mpb.Bar
}

func (b *bars) Plan(artifacts int) {
	if artifacts == 0 {
		return
	}
	b.overall = b.progress.AddBar(int64(artifacts), mpb.BarPriority(1<<20),
		mpb.PrependDecorators(decor.Name("all", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersNoUnit("%d of %d"), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 8})))
}

func (b *bars) Start(name string, expect time.Duration) func(error) {
	bar := b.progress.AddBar(int64(expect), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS), decor.Name(" of about "+expect.String())))
	stop := make(chan struct{})
	begun := time.Now()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// A build that takes longer than usual keeps a full bar, but not a finished one.
				bar.SetCurrent(min(int64(time.Since(begun)), int64(expect)-1))
			case <-stop:
				return
			}
		}
	}()
	return func(err error) {
		close(stop)
		if err != nil {
			bar.Abort(false)
			return
		}
		bar.SetCurrent(int64(expect))
		b.overall.Increment()
	}
}
