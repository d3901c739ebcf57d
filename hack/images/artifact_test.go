package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mesh-conformance/hack/problem"
)

// product is an artifact that writes its name and counts how often it was built.
func product(name string, built *int, needs ...*artifact) *artifact {
	return &artifact{name: name, needs: needs, build: func(_ context.Context, out string, _ io.Writer) error {
		*built++
		return os.WriteFile(filepath.Join(out, "product"), []byte(name), 0o644)
	}}
}

func TestKey(t *testing.T) {
	fresh := func() *artifact {
		return &artifact{name: "a", inputs: []string{"x", "y"}, needs: []*artifact{{name: "n"}, {name: "m"}}}
	}
	want := fresh().key()
	if again := fresh().key(); again != want {
		t.Errorf("the same inputs gave %s and %s", want, again)
	}
	notPart := fresh()
	notPart.expect, notPart.build = 1, func(context.Context, string, io.Writer) error { return nil }
	if notPart.key() != want {
		t.Error("what does not decide the product changed its key")
	}
	seen := map[string]string{want: "unchanged"}
	for name, change := range map[string]func(a *artifact){
		"the name":             func(a *artifact) { a.name = "b" },
		"an input":             func(a *artifact) { a.inputs[0] = "z" },
		"the order of inputs":  func(a *artifact) { a.inputs[0], a.inputs[1] = a.inputs[1], a.inputs[0] },
		"one input more":       func(a *artifact) { a.inputs = append(a.inputs, "") },
		"one input less":       func(a *artifact) { a.inputs = a.inputs[:1] },
		"inputs run together":  func(a *artifact) { a.inputs = []string{"xy", ""} },
		"an input that mimics": func(a *artifact) { a.inputs = []string{"x\ninput 1 y"} },
		"a need":               func(a *artifact) { a.needs[0] = &artifact{name: "o"} },
		"an input of a need":   func(a *artifact) { a.needs[0] = &artifact{name: "n", inputs: []string{"x"}} },
		"the order of needs":   func(a *artifact) { a.needs[0], a.needs[1] = a.needs[1], a.needs[0] },
		"one need less":        func(a *artifact) { a.needs = a.needs[:1] },
	} {
		a := fresh()
		change(a)
		if other, taken := seen[a.key()]; taken {
			t.Errorf("%s: same key as %s", name, other)
		}
		seen[a.key()] = name
	}
}

func TestStoreMakesWhole(t *testing.T) {
	s, built := store{dir: t.TempDir()}, 0
	a := product("a", &built)
	if s.has(t.Context(), a) {
		t.Fatal("an empty store has the product")
	}
	if err := s.make(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(s.path(a), "product")); err != nil || string(content) != "a" {
		t.Errorf("product: %q, %v", content, err)
	}
	if !s.has(t.Context(), a) {
		t.Error("the store does not have what it made")
	}
	hollow(t, s.scratch())
}

func TestStoreKeepsNothingOfAFailedBuild(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fails error
		said  string
		code  int
		want  string
	}{
		"any error":           {broken, "", problem.ExitEnvironment, "build a (log: "},
		"a usage error":       {problem.Usage("bad pin", "", ""), "", problem.ExitUsage, "bad pin"},
		"a full disk":         {fmt.Errorf("write: %w", syscall.ENOSPC), "", problem.ExitEnvironment, "the disk is full (while making a, log: "},
		"a quota":             {syscall.EDQUOT, "", problem.ExitEnvironment, "the disk is full"},
		"a child's full disk": {broken, "ld: No space left on device\nld: failed", problem.ExitEnvironment, "the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			s := store{dir: t.TempDir()}
			a := &artifact{name: "a", build: func(_ context.Context, out string, log io.Writer) error {
				_, _ = io.WriteString(log, c.said)
				if err := os.WriteFile(filepath.Join(out, "half"), nil, 0o600); err != nil {
					return err
				}
				return c.fails
			}}
			err := s.make(t.Context(), a)
			if problem.ExitCode(err) != c.code || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if s.has(t.Context(), a) {
				t.Error("a failed build is in the store")
			}
			hollow(t, s.scratch())
			if log, err := os.ReadFile(filepath.Join(s.dir, "logs", "a.log")); err != nil || string(log) != c.said {
				t.Errorf("log: %q, %v", log, err)
			}
		})
	}
}

func TestStoreSaysCancelledWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := store{dir: t.TempDir()}
	a := &artifact{name: "a", build: func(context.Context, string, io.Writer) error {
		cancel()
		return errors.New("signal: killed")
	}}
	if err := s.make(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	hollow(t, s.scratch())
}

func TestStoreReplacesAnInvalidProduct(t *testing.T) {
	s, built, lost := store{dir: t.TempDir()}, 0, true
	a := product("a", &built)
	a.valid = func(context.Context, string) bool { return !lost }
	if err := s.make(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if s.has(t.Context(), a) {
		t.Error("an invalid product counts as there")
	}
	if err := os.WriteFile(filepath.Join(s.path(a), "stale"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lost = false
	if err := s.make(t.Context(), a); err != nil || built != 2 {
		t.Fatalf("built %d times, %v", built, err)
	}
	if _, err := os.Stat(filepath.Join(s.path(a), "stale")); !os.IsNotExist(err) {
		t.Errorf("the invalid product was not replaced: %v", err)
	}
}

func TestBuildLogNeverFails(t *testing.T) {
	log := &buildLog{file: failing{}}
	for range 3 {
		if n, err := log.Write(make([]byte, tailLength)); n != tailLength || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	if _, err := log.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); len(said) != tailLength || !strings.HasSuffix(said, "end") {
		t.Errorf("kept %d bytes", len(said))
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func hollow(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s holds %v, %v", dir, entries, err)
	}
}
