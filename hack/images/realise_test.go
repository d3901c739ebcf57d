package images

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// recorder notes what was begun and how it ended.
type recorder struct {
	mu     sync.Mutex
	plan   int
	begun  []string
	usual  map[string]Usual
	failed []string
	notes  []string
}

func (r *recorder) Plan(expected Estimate) { r.plan = expected.Artifacts }

func (r *recorder) Note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, line)
}

func (r *recorder) Start(name string, usual Usual) func(error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.usual == nil {
		r.usual = map[string]Usual{}
	}
	r.begun = append(r.begun, name)
	r.usual[name] = usual
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

func TestRealiseEndsInOrderAfterTheFirstError(t *testing.T) {
	s, progress, broken := store{dir: t.TempDir()}, &recorder{}, errors.New("broken")
	begun, reported := make(chan struct{}), make(chan struct{})
	long := &artifact{name: "long", build: func(ctx context.Context, _ string, _ io.Writer) error {
		close(begun)
		<-reported
		return ctx.Err()
	}}
	later := &artifact{name: "later", build: func(context.Context, string, io.Writer) error {
		<-reported
		return errors.New("later")
	}}
	bad := &artifact{name: "bad", build: func(context.Context, string, io.Writer) error {
		<-begun
		return broken
	}}
	dependent, other := product("dependent", new(int), bad), product("other", new(int))
	watched := &watcher{recorder: progress, failed: reported}
	if err := s.realise(t.Context(), []*artifact{long, later, bad, dependent, other}, watched); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(progress.begun, []string{"long", "later", "bad"}) || !slices.Equal(progress.failed, []string{"bad", "later"}) {
		t.Errorf("began %v, failed %v", progress.begun, progress.failed)
	}
	if !s.has(t.Context(), long) {
		t.Error("what was under way is not kept")
	}
	if len(progress.notes) != 1 || !strings.Contains(progress.notes[0], "these end first and are kept: later, long ") {
		t.Errorf("noted %q", progress.notes)
	}
}

// watcher closes failed when it is told what ends in order.
type watcher struct {
	*recorder
	failed chan struct{}
}

func (w *watcher) Note(line string) {
	w.recorder.Note(line)
	close(w.failed)
}

func TestRealiseEndsInOrderForAnotherCause(t *testing.T) {
	progress, cause := &recorder{}, errors.New("the suite does not compile")
	b := &Builder{store: store{dir: t.TempDir()}, options: Options{Progress: progress}}
	first := &artifact{name: "first", build: func(context.Context, string, io.Writer) error {
		b.EndInOrder(cause)
		b.EndInOrder(errors.New("another"))
		return nil
	}}
	second := product("second", new(int), first)
	if err := b.realise(t.Context(), []*artifact{second}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(progress.begun, []string{"first"}) || !b.store.has(t.Context(), first) {
		t.Errorf("began %v", progress.begun)
	}
	if err := b.realise(t.Context(), []*artifact{first}); err != nil {
		t.Errorf("nothing to begin: %v", err)
	}
}

func TestRealiseEndsAllWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, progress := store{dir: t.TempDir()}, &recorder{}
	long := &artifact{name: "long", build: func(ctx context.Context, _ string, _ io.Writer) error {
		cancel()
		<-ctx.Done()
		return errors.New("killed")
	}}
	err := s.realise(ctx, []*artifact{long, product("next", new(int), long)}, progress)
	if !errors.Is(err, context.Canceled) || !slices.Equal(progress.failed, []string{"long"}) || len(progress.notes) > 0 {
		t.Errorf("failed %v, noted %q, %v", progress.failed, progress.notes, err)
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
