package images

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
)

func TestBakeLeavesNoContainer(t *testing.T) {
	for name, c := range map[string]struct {
		answers  map[string]string
		commits  int
		cancel   bool
		cleans   int
		wantCode int
	}{
		"all well":            {commits: 1, cleans: 1},
		"a failed import":     {answers: map[string]string{"run": "!ctr: no such file"}, cleans: 1, wantCode: problem.ExitEnvironment},
		"a failed commit":     {answers: map[string]string{"commit": "!refused"}, commits: 1, cleans: 1, wantCode: problem.ExitEnvironment},
		"a base not loadable": {answers: map[string]string{"load": "!refused"}, wantCode: problem.ExitEnvironment},
		"a user who gave up":  {cancel: true, cleans: 1, wantCode: problem.ExitEnvironment},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fake := &fakeEngine{answers: c.answers}
			if c.cancel {
				fake.before = func(call string) {
					if strings.HasPrefix(call, "run") {
						cancel()
					}
				}
			}
			b := &Builder{engine: fake, store: store{dir: "/cache"}}
			err := b.bake(ctx, io.Discard, "base.tar", "images.tar", "node:1")
			if problem.ExitCode(err) != c.wantCode || c.cancel != errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if commits, cleans := fake.called("commit"), fake.called("rm --force --volumes "+b.bakePrefix()); commits != c.commits || cleans != c.cleans {
				t.Errorf("committed %d times, removed the container %d times: %q", commits, cleans, fake.calls)
			}
			if fake.called("rmi --no-prune "+stagingReference) != c.cleans {
				t.Errorf("the staging image stays: %q", fake.calls)
			}
		})
	}
}

func TestSweepEngineRemovesOnlyItsOwn(t *testing.T) {
	b := &Builder{store: store{dir: "/cache"}}
	other := &Builder{store: store{dir: "/other"}}
	if b.bakePrefix() == other.bakePrefix() {
		t.Error("two caches share their containers")
	}
	for listed, want := range map[string]string{"": "", "abc\ndef": "rm --force --volumes abc def|rmi --no-prune " + stagingReference} {
		fake := &fakeEngine{answers: map[string]string{"ps --all --quiet --no-trunc --filter name=" + b.bakePrefix(): listed}}
		b.engine = fake
		if err := b.sweepEngine(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(fake.calls[1:], "|"); got != want {
			t.Errorf("with %q left it called %q, want %q", listed, got, want)
		}
	}
	b.engine = &fakeEngine{answers: map[string]string{"ps": "!Cannot connect to the Docker daemon"}}
	if err := b.sweepEngine(t.Context()); problem.ExitCode(err) != problem.ExitEnvironment || !strings.Contains(err.Error(), "Cannot connect") {
		t.Errorf("got %v", err)
	}
}
