// Package steady keeps traffic going while something else changes, and counts what of it is lost: requests
// at a fixed rate from outside the cluster, or one connection that is held open.
package steady

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/echo"
	"mesh-conformance/suites/internal/evidence"
)

// PerSecond is the rate of every stream.
const PerSecond = 20

// batch is how many requests one run makes. The next run begins when the rate says so, not
// when this one has its answers: a request that hangs does not thin out the stream.
const batch = 2 * PerSecond

// atOnce bounds the runs under way where none of them ends.
const atOnce = 10

// Requests is a stream of HTTP requests that runs until Stop, beyond the spec that started it.
type Requests struct {
	way string
	// send makes the requests of one run.
	send func(context.Context) (echo.Answers, error)

	cancel context.CancelFunc
	halt   func()
	// ended is closed when no further run begins.
	ended chan struct{}

	mutex  sync.Mutex
	window *window
}

// window is what began between two takes.
type window struct {
	begun   time.Time
	running sync.WaitGroup
	// used tells that a run has begun in it.
	used  func()
	first <-chan struct{}

	mutex sync.Mutex
	count Count
}

// Start begins a stream of requests, which ends with Stop, or in cleanup.
func Start(ctx context.Context, name string, from Visitor, url string) *Requests {
	ginkgo.GinkgoHelper()
	evidence.Replay("%s", from.Command(url))
	r := begin(ctx, time.Second*batch/PerSecond, func(ctx context.Context) (echo.Answers, error) { return from.Send(ctx, url, batch) })
	r.way = fmt.Sprintf("%s to %s", name, url)
	ginkgo.DeferCleanup(r.Abandon)
	return r
}

func newWindow() *window {
	first := make(chan struct{})
	return &window{begun: time.Now(), first: first, used: sync.OnceFunc(func() { close(first) })}
}

func begin(ctx context.Context, every time.Duration, send func(context.Context) (echo.Answers, error)) *Requests {
	// The stream outlives the node that starts it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	halt := make(chan struct{})
	r := &Requests{
		send: send, cancel: cancel, halt: sync.OnceFunc(func() { close(halt) }),
		ended: make(chan struct{}), window: newWindow(),
	}
	go r.run(ctx, every, halt)
	return r
}

func (r *Requests) run(ctx context.Context, every time.Duration, halt <-chan struct{}) {
	defer close(r.ended)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	slots := make(chan struct{}, atOnce)
	for {
		select {
		case slots <- struct{}{}:
			r.mutex.Lock()
			into := r.window
			into.running.Add(1)
			into.used()
			r.mutex.Unlock()
			go func() {
				defer func() { <-slots; into.running.Done() }()
				begun := time.Now()
				answers, err := r.send(ctx)
				into.mutex.Lock()
				defer into.mutex.Unlock()
				into.count.add(begun, time.Now(), answers, err)
			}()
		default:
		}
		select {
		case <-ticker.C:
		case <-halt:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Take gives what became of all requests since the last take, or since the start, and records it: it waits
// for the answers of those that are under way. The stream goes on; one taker at a time. What tells the reader what happened
// meanwhile, for example "while istiod was replaced".
func (r *Requests) Take(ctx context.Context, what string) Count {
	ginkgo.GinkgoHelper()
	count, err := r.take(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Traffic(r.way+", "+what, "%s", count)
	return count
}

// Stop is Take for the end of the stream.
func (r *Requests) Stop(ctx context.Context, what string) Count {
	ginkgo.GinkgoHelper()
	r.halt()
	<-r.ended
	return r.Take(ctx, what)
}

// Abandon ends the stream, and what is under way, without a look at it.
func (r *Requests) Abandon() {
	r.cancel()
	<-r.ended
}

func (r *Requests) take(ctx context.Context) (Count, error) {
	begun := time.Now()
	r.mutex.Lock()
	closed := r.window
	r.mutex.Unlock()
	// A stretch between two runs would show nothing.
	select {
	case <-closed.first:
	case <-r.ended:
	case <-ctx.Done():
		return Count{}, deadline.Missed(r.way+" did not begin a request", begun, "", context.Cause(ctx))
	}
	r.mutex.Lock()
	r.window = newWindow()
	now := r.window.begun
	r.mutex.Unlock()
	done := make(chan struct{})
	go func() { closed.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		closed.mutex.Lock()
		defer closed.mutex.Unlock()
		return Count{}, deadline.Missed(r.way+" did not get the answers of all that was sent", begun, closed.count.String(), context.Cause(ctx))
	}
	closed.mutex.Lock()
	defer closed.mutex.Unlock()
	count := closed.count
	count.Way, count.Lasted = r.way, now.Sub(closed.begun)
	return count, nil
}
