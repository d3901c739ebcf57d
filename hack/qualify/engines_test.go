package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mesh-conformance/hack/engine"
	"mesh-conformance/hack/images"
	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/reports"
)

// fakeEngines is a machine whose engines are numbered from 1, die when told to, and lose their images with it.
type fakeEngines struct {
	mu     sync.Mutex
	events []string
	deaths map[string]chan error // by the engine's address
	nodes  map[string]bool
	// broken are the engines, by number, that do not start.
	broken []int
	tries  int
}

func newMachine() *fakeEngines {
	return &fakeEngines{deaths: map[string]chan error{}, nodes: map[string]bool{}}
}

func (m *fakeEngines) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, fmt.Sprintf(format, args...))
}

// engines returns the engines of this machine.
func (m *fakeEngines) engines(until context.Context) *engines {
	return &engines{
		ensure: func(context.Context) (*engine.Engine, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.tries++
			if slices.Contains(m.broken, m.tries) {
				m.events = append(m.events, fmt.Sprint("no engine ", m.tries))
				return nil, problem.Environment("the engine does not start", "", "", nil)
			}
			m.events = append(m.events, fmt.Sprint("engine ", m.tries))
			started := &engine.Engine{Host: fmt.Sprint(m.tries), Private: true}
			m.deaths[started.Host] = make(chan error, 1)
			return started, nil
		},
		watch: func(_ context.Context, running *engine.Engine) <-chan error { return m.deaths[running.Host] },
		gone:  func(context.Context, *engine.Engine) error { return nil },
		say:   func(string, ...any) {}, until: until,
	}
}

// kill has the engine that runs die, and returns when its life is over.
func (m *fakeEngines) kill(e *engines) {
	running, life := e.current()
	m.mu.Lock()
	m.events = append(m.events, fmt.Sprintf("engine %s dies", running.Host))
	m.nodes = map[string]bool{}
	death := m.deaths[running.Host]
	m.mu.Unlock()
	death <- problem.Environment("engine "+running.Host+" died", "", "", nil)
	close(death)
	<-life.Done()
}

// fakeBuilder makes node images in the engine; hooks are called while it does.
type fakeBuilder struct {
	*fakeEngines
	hooks hooks
}

func (b *fakeBuilder) make(ctx context.Context, k kindconfig.Kubernetes, again bool) (*kindconfig.Cell, error) {
	verb := "build"
	if again {
		verb = "build again"
	}
	b.note("%s %s", verb, k.Minor)
	if hook := b.hooks[k.Minor]; hook != nil {
		if err := hook(ctx, again); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	b.nodes[k.Version] = true
	b.mu.Unlock()
	b.note("built %s", k.Minor)
	return &kindconfig.Cell{Kubernetes: k.Version}, nil
}

func (b *fakeBuilder) Cell(ctx context.Context, k kindconfig.Kubernetes, _ kindconfig.Subject) (*kindconfig.Cell, error) {
	return b.make(ctx, k, false)
}

func (b *fakeBuilder) CellAgain(ctx context.Context, k kindconfig.Kubernetes, _ kindconfig.Subject) (*kindconfig.Cell, error) {
	return b.make(ctx, k, true)
}

// suites are the suites of cells by minor; the error says that a suite broke off.
type suites map[string]func(ctx context.Context) error

// hooks are called by builds of cells, by minor.
type hooks map[string]func(ctx context.Context, again bool) error

// run runs a matrix of cells on this machine; suites are called by minor, and a cell without one passes.
func (m *fakeEngines) run(
	ctx context.Context, t *testing.T, e *engines, builder *fakeBuilder, minors []string,
	suites suites,
) []reports.Outcome {
	t.Helper()
	cells, err := chosen(pinned(t), minors)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.alive(ctx); err != nil {
		t.Fatal(err)
	}
	build := func(ctx context.Context, k kindconfig.Kubernetes) (*kindconfig.Cell, error) {
		return e.build(ctx, builder, k, kindconfig.Subject{})
	}
	dir := t.TempDir()
	made, wait := buildInTurn(ctx, cells, build)
	defer wait()
	say := sayTo(&bytes.Buffer{})
	return cellsInTurn(ctx, say, dir, cells, made, func(k kindconfig.Kubernetes, cell *kindconfig.Cell) error {
		return e.runOn(ctx, cell, part{
			has: func(_ context.Context, cell *kindconfig.Cell) bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				return m.nodes[cell.Kubernetes]
			},
			remake: func(ctx context.Context) (*kindconfig.Cell, error) { return build(ctx, k) },
			run: func(ctx context.Context, running *engine.Engine, cell *kindconfig.Cell) error {
				m.note("run %s on %s", k.Minor, running.Host)
				folder := filepath.Join(dir, k.Minor)
				if suite := suites[k.Minor]; suite != nil {
					if err := suite(ctx); err != nil {
						noResults(t, folder, cell.Kubernetes, causeOf(ctx, err).Error())
						return causeOf(ctx, err)
					}
				}
				cellResults(t, folder, cell.Kubernetes, reports.StatePassed)
				return nil
			},
		})
	})
}

func summary(outcomes []reports.Outcome) string {
	var all []string
	for _, o := range outcomes {
		switch {
		case o.State == reports.CellAborted:
			all = append(all, o.Name+" aborted: "+o.Why)
		case o.Results != nil:
			all = append(all, o.Name+" ran")
		}
	}
	return strings.Join(all, "; ")
}

// inOrder fails the test unless the events have these among them, in this order.
func (m *fakeEngines) inOrder(t *testing.T, want ...string) {
	t.Helper()
	left := want
	for _, event := range m.events {
		if len(left) > 0 && event == left[0] {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		t.Errorf("%q does not come in its turn: %q", left[0], m.events)
	}
}

func TestAMatrixGoesOnWithANewEngine(t *testing.T) {
	m := newMachine()
	e := m.engines(t.Context())
	// The build of 1.27 is under way when the engine dies: it ends, and its node image is lost with the engine's
	// others.
	begun, died := make(chan struct{}), make(chan struct{})
	builder := &fakeBuilder{fakeEngines: m, hooks: hooks{
		"1.27": func(ctx context.Context, again bool) error {
			if again {
				return nil
			}
			select {
			case <-begun:
			default:
				close(begun)
			}
			<-died
			return ctx.Err()
		},
	}}
	outcomes := m.run(t.Context(), t, e, builder, []string{"1.28", "1.27", "1.26"}, suites{
		"1.28": func(ctx context.Context) error {
			<-begun
			m.kill(e)
			<-ctx.Done()
			close(died)
			return errors.New("killed")
		},
	})
	if got, want := summary(outcomes), "1.28 aborted: engine 1 died; 1.27 ran; 1.26 ran"; got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	m.inOrder(t, "engine 1", "run 1.28 on 1", "engine 1 dies", "built 1.27", "run 1.27 on 2", "run 1.26 on 2")
}

func TestANodeImageThatDiedWithItsEngineIsMadeAgain(t *testing.T) {
	m := newMachine()
	e := m.engines(t.Context())
	built := make(chan struct{})
	builder := &fakeBuilder{fakeEngines: m, hooks: hooks{
		"1.26": func(context.Context, bool) error { // 1.27 is built by then
			select {
			case <-built:
			default:
				close(built)
			}
			return nil
		},
	}}
	outcomes := m.run(t.Context(), t, e, builder, []string{"1.28", "1.27", "1.26"}, suites{
		"1.28": func(ctx context.Context) error {
			<-built
			m.kill(e)
			<-ctx.Done()
			return errors.New("killed")
		},
	})
	if got, want := summary(outcomes), "1.28 aborted: engine 1 died; 1.27 ran; 1.26 ran"; got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	m.inOrder(t, "engine 1", "build 1.27", "engine 1 dies", "engine 2", "build 1.27", "built 1.27",
		"run 1.27 on 2", "run 1.26 on 2")
}

func TestABuildThatFailsWithItsEngineIsTriedOnceMore(t *testing.T) {
	for name, c := range map[string]struct {
		dies  int // so many builds of 1.28 see their engine die
		wrong bool
		want  string
		tries []string
	}{
		"the engine dies once": {1, false, "1.28 ran", []string{
			"engine 1", "build 1.28", "engine 1 dies", "engine 2", "build again 1.28", "built 1.28", "run 1.28 on 2",
		}},
		"the engine dies twice": {2, false, "1.28 aborted: cannot connect",
			[]string{"build 1.28", "engine 1 dies", "engine 2", "build again 1.28", "engine 2 dies"}},
		"the build itself fails": {0, true, "1.28 aborted: compile error", []string{"engine 1", "build 1.28"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine()
			e := m.engines(t.Context())
			left := c.dies
			builder := &fakeBuilder{fakeEngines: m, hooks: hooks{
				"1.28": func(context.Context, bool) error {
					if c.wrong {
						return errors.New("compile error")
					}
					if left--; left >= 0 {
						m.kill(e)
						return errors.New("cannot connect")
					}
					return nil
				},
			}}
			if got := summary(m.run(t.Context(), t, e, builder, []string{"1.28"}, nil)); got != c.want {
				t.Errorf("outcomes %q, want %q", got, c.want)
			}
			m.inOrder(t, c.tries...)
			builds := 0
			for _, event := range m.events {
				if strings.HasPrefix(event, "build ") {
					builds++
				}
			}
			if builds > 2 || c.wrong && builds > 1 {
				t.Errorf("%d builds: %q", builds, m.events)
			}
		})
	}
}

// TestAMatrixTriesForEachCellToStartAnEngine: no engine for one cell is none for that cell only.
func TestAMatrixTriesForEachCellToStartAnEngine(t *testing.T) {
	m := newMachine()
	m.broken = []int{2}
	e := m.engines(t.Context())
	built := make(chan struct{})
	builder := &fakeBuilder{fakeEngines: m, hooks: hooks{
		"1.26": func(context.Context, bool) error {
			select {
			case <-built:
			default:
				close(built)
			}
			return nil
		},
	}}
	outcomes := m.run(t.Context(), t, e, builder, []string{"1.28", "1.27", "1.26"}, suites{
		"1.28": func(ctx context.Context) error {
			<-built
			m.kill(e)
			<-ctx.Done()
			return errors.New("killed")
		},
	})
	want := "1.28 aborted: engine 1 died; 1.27 aborted: the engine does not start; 1.26 ran"
	if got := summary(outcomes); got != want {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	m.inOrder(t, "engine 1 dies", "no engine 2", "engine 3", "run 1.26 on 3")
}

func TestAnInterruptEndsEverythingOnAnEngine(t *testing.T) {
	m := newMachine()
	ctx, interrupt := context.WithCancel(t.Context())
	e := m.engines(ctx)
	ended := make(chan struct{})
	builder := &fakeBuilder{fakeEngines: m, hooks: hooks{
		"1.27": func(ctx context.Context, _ bool) error {
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		},
	}}
	outcomes := m.run(ctx, t, e, builder, []string{"1.28", "1.27"}, suites{
		"1.28": func(ctx context.Context) error {
			interrupt()
			<-ctx.Done()
			if err := causeOf(ctx, nil); !strings.HasPrefix(err.Error(), "interrupted") {
				t.Errorf("the cell ends with %v", err)
			}
			return ctx.Err()
		},
	})
	<-ended
	if len(outcomes) != 0 || m.tries != 1 {
		t.Errorf("outcomes %q, %d engines", summary(outcomes), m.tries)
	}
	if _, _, err := e.alive(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Errorf("an engine after the interrupt: %v", err)
	}
}

func TestADeadEngineIsGivenTimeToBeNoticedAndToComeBack(t *testing.T) {
	m := newMachine()
	e := m.engines(t.Context())
	running, life, err := e.alive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	running.Private = false // a Docker that somebody else runs
	if e.hasDied(t.Context(), running, life) {
		t.Error("an engine that is there has died")
	}
	looks := 0
	e.gone = func(context.Context, *engine.Engine) error {
		if looks++; looks == 1 {
			go m.kill(e)
		}
		if looks <= 2 {
			return errors.New("it refuses connections")
		}
		return nil
	}
	if !e.hasDied(t.Context(), running, life) {
		t.Error("a death that the watch tells of later is not noticed")
	}
	next, _, err := e.alive(t.Context())
	if err != nil || next == running || looks != 3 {
		t.Errorf("after %d looks: %v, %v", looks, next, err)
	}
}

var _ cellBuilder = (*images.Builder)(nil)
