package images

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// recorder notes what was begun and how it ended.
type recorder struct {
	mu     sync.Mutex
	plan   int
	begun  []string
	failed []string
}

func (r *recorder) Plan(artifacts int) { r.plan = artifacts }

func (r *recorder) Start(name string, _ time.Duration) func(error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = append(r.begun, name)
	return func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			r.failed = append(r.failed, name)
		}
	}
}

func TestRealiseMakesNeedsFirst(t *testing.T) {
	s, progress := store{dir: t.TempDir()}, &recorder{}
	var mu sync.Mutex
	var ended []string
	step := func(name string, needs ...*artifact) *artifact {
		return &artifact{name: name, needs: needs, build: func(context.Context, string, io.Writer) error {
			mu.Lock()
			defer mu.Unlock()
			for _, need := range needs {
				if !slices.Contains(ended, need.name) {
					t.Errorf("%s was begun before %s ended", name, need.name)
				}
			}
			ended = append(ended, name)
			return nil
		}}
	}
	root := step("root")
	left, right := step("left", root), step("right", root)
	top := step("top", left, right)
	if err := s.realise(t.Context(), []*artifact{top, left}, progress); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 4 || progress.plan != 4 || progress.begun[0] != "root" || progress.begun[3] != "top" {
		t.Errorf("planned %d, began %v, ended %v", progress.plan, progress.begun, ended)
	}

	again := &recorder{}
	if err := s.realise(t.Context(), []*artifact{top, left}, again); err != nil || again.plan != 0 || len(again.begun) != 0 {
		t.Errorf("a second time it planned %d and began %v, %v", again.plan, again.begun, err)
	}
}

func TestRealiseKeepsTheOrderGiven(t *testing.T) {
	s, progress := store{dir: t.TempDir()}, &recorder{}
	var wanted []*artifact
	var want []string
	for _, name := range []string{"e", "d", "c", "b", "a"} {
		wanted, want = append(wanted, product(name, new(int))), append(want, name)
	}
	if err := s.realise(t.Context(), wanted, progress); err != nil || !slices.Equal(progress.begun, want) {
		t.Errorf("began %v, %v", progress.begun, err)
	}
}

func TestRealiseNeedsNoIngredientsOfWhatIsStored(t *testing.T) {
	s, built, progress := store{dir: t.TempDir()}, 0, &recorder{}
	ingredient := product("ingredient", &built)
	image := product("image", new(int), ingredient)
	node := product("node", new(int), image)
	if err := s.realise(t.Context(), []*artifact{image}, &recorder{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.path(ingredient)); err != nil {
		t.Fatal(err)
	}
	if err := s.realise(t.Context(), []*artifact{image, node}, progress); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(progress.begun, []string{"node"}) || built != 1 {
		t.Errorf("began %v, ingredient built %d times", progress.begun, built)
	}
}

func TestRealiseResumes(t *testing.T) {
	s, built, fail := store{dir: t.TempDir()}, 0, true
	first := product("first", &built)
	second := &artifact{name: "second", needs: []*artifact{first}, build: func(context.Context, string, io.Writer) error {
		if fail {
			return errors.New("broken")
		}
		return nil
	}}
	if err := s.realise(t.Context(), []*artifact{second}, &recorder{}); err == nil {
		t.Fatal("a failed build is no error")
	}
	fail = false
	if err := s.realise(t.Context(), []*artifact{second}, &recorder{}); err != nil || built != 1 {
		t.Errorf("first was built %d times, %v", built, err)
	}
}

func TestRealiseStopsAtTheFirstError(t *testing.T) {
	s, progress, broken := store{dir: t.TempDir()}, &recorder{}, errors.New("broken")
	begun := make(chan struct{})
	long := &artifact{name: "long", build: func(ctx context.Context, _ string, _ io.Writer) error {
		close(begun)
		<-ctx.Done()
		return errors.New("killed")
	}}
	bad := &artifact{name: "bad", build: func(context.Context, string, io.Writer) error {
		<-begun
		return broken
	}}
	dependent := product("dependent", new(int), bad)
	if err := s.realise(t.Context(), []*artifact{long, bad, dependent}, progress); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	slices.Sort(progress.failed)
	if !slices.Equal(progress.failed, []string{"bad", "long"}) || slices.Contains(progress.begun, "dependent") {
		t.Errorf("began %v, failed %v", progress.begun, progress.failed)
	}
}

func TestRealiseOfACancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	progress := &recorder{}
	err := store{dir: t.TempDir()}.realise(ctx, []*artifact{product("a", new(int))}, progress)
	if !errors.Is(err, context.Canceled) || len(progress.begun) > 0 {
		t.Errorf("began %v, %v", progress.begun, err)
	}
}

func TestRealiseBoundsWhatIsUnderWay(t *testing.T) {
	var now, most atomic.Int32
	var wanted []*artifact
	full := make(chan struct{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		wanted = append(wanted, &artifact{name: name, build: func(context.Context, string, io.Writer) error {
			if running := now.Add(1); running > most.Load() {
				most.Store(running)
				if running == concurrency {
					close(full)
				}
			}
			<-full
			now.Add(-1)
			return nil
		}})
	}
	if err := (store{dir: t.TempDir()}).realise(t.Context(), wanted, &recorder{}); err != nil || most.Load() != concurrency {
		t.Errorf("%d at once, %v; want %d", most.Load(), err, concurrency)
	}
}
