package steady

import (
	"context"
	"sync"
	"testing"
	"time"

	"mesh-conformance/suites/internal/echo"
)

// source ends every run as it is told to when the run begins.
type source struct {
	mutex   sync.Mutex
	begun   int
	answers echo.Answers
	release chan struct{}
}

func (s *source) send(ctx context.Context) (echo.Answers, error) {
	s.mutex.Lock()
	s.begun++
	answers, release := s.answers, s.release
	s.mutex.Unlock()
	answers.Sent = batch
	select {
	case <-release:
		return answers, nil
	case <-ctx.Done():
		return answers, ctx.Err()
	}
}

const tick = 2 * time.Millisecond

func TestARequestCountsInTheStretchItBeganIn(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	close(free)
	s := &source{release: held}
	r := begin(t.Context(), tick, s.send)
	defer r.Abandon()
	// With as many runs under way as there may be, none begins between the end of the stretch and what is changed then.
	for begun := 0; begun < atOnce; {
		time.Sleep(tick)
		s.mutex.Lock()
		begun = s.begun
		s.mutex.Unlock()
	}
	r.mutex.Lock()
	before := r.window
	r.mutex.Unlock()

	first := make(chan Count)
	go func() {
		count, err := r.take(t.Context())
		if err != nil {
			t.Error(err)
		}
		first <- count
	}()
	for now := before; now == before; {
		time.Sleep(tick)
		r.mutex.Lock()
		now = r.window
		r.mutex.Unlock()
	}
	s.mutex.Lock()
	s.release, s.answers = free, echo.Answers{Failed: 3, Failure: "EOF"}
	s.mutex.Unlock()
	select {
	case count := <-first:
		t.Fatalf("a count before the answers: %s", count)
	default:
	}
	close(held)
	if count := <-first; count.Sent != atOnce*batch || count.Lost != 0 {
		t.Errorf("first stretch: %s", count)
	}
	if count, err := r.take(t.Context()); err != nil || count.Sent == 0 || count.Lost != 3*count.Sent/batch {
		t.Errorf("second stretch: %s, %v", count, err)
	}
	r.halt()
	<-r.ended
	if count, err := r.take(t.Context()); err != nil || count.Lost != 3*count.Sent/batch {
		t.Errorf("last stretch: %s, %v", count, err)
	}
	if count, err := r.take(t.Context()); err != nil || count.Sent != 0 {
		t.Errorf("after the end: %s, %v", count, err)
	}
}

func TestAStreamThatHangsIsBoundedAndCanBeLeft(t *testing.T) {
	r := begin(t.Context(), tick, (&source{release: make(chan struct{})}).send)
	ctx, cancel := context.WithTimeout(t.Context(), 20*tick)
	defer cancel()
	if count, err := r.take(ctx); err == nil {
		t.Errorf("no answer came, and yet: %s", count)
	}
	r.Abandon()
}

// The stream outlives the spec that starts it.
func TestTheStreamGoesOnWithoutItsStarter(t *testing.T) {
	free := make(chan struct{})
	close(free)
	ctx, cancel := context.WithCancel(t.Context())
	r := begin(ctx, tick, (&source{release: free}).send)
	defer r.Abandon()
	cancel()
	for range 3 {
		if count, err := r.take(t.Context()); err != nil || count.Sent < batch {
			t.Errorf("%s, %v", count, err)
		}
	}
}
