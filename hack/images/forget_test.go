package images

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mesh-conformance/hack/problem"
)

// cacheOf makes a store of an artifact that a run needs, of what that is made of, and of a former one of each.
func cacheOf(t *testing.T, former engineNode) (s store, needed []*artifact) {
	t.Helper()
	s = store{dir: t.TempDir()}
	part := product("part", new(int))
	whole := product("whole", new(int), part)
	oldPart := product("part", new(int))
	oldPart.inputs = []string{"former"}
	oldNode := &artifact{name: "node", build: func(_ context.Context, out string, _ io.Writer) error {
		return writeJSON(filepath.Join(out, nodeFile), former)
	}}
	if err := s.realise(t.Context(), []*artifact{part, whole, oldPart, oldNode}, &recorder{}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*artifact{part, whole, oldPart, oldNode} {
		if err := os.Chtimes(s.path(a), time.Now(), time.Now().Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return s, []*artifact{whole}
}

// stored are the names of what a store holds, without keys.
func stored(t *testing.T, s store) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, "artifacts"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "-")
		names = append(names, name)
	}
	return names
}

func TestForgetLeavesWhatARunNeedsAndWhatThatIsMadeOf(t *testing.T) {
	s, needed := cacheOf(t, engineNode{Reference: "mesh-conformance/node:v1.28.15-0", ID: "sha256:1"})
	if err := s.use(needed, time.Now()); err != nil {
		t.Fatal(err)
	}
	docker := &fakeEngine{answers: map[string]string{"image inspect": "sha256:1"}}
	forgotten, err := Forget(t.Context(), s.dir, time.Now().Add(-24*time.Hour), func() (NodeEngine, error) { return NodeEngine{Engine: docker}, nil })
	if err != nil || forgotten != 2 {
		t.Fatalf("%d forgotten, %v", forgotten, err)
	}
	if got := stored(t, s); !slices.Equal(got, []string{"part", "whole"}) {
		t.Errorf("left: %v", got)
	}
	if docker.called("rmi mesh-conformance/node:v1.28.15-0") != 1 {
		t.Errorf("the engine was asked for %v", docker.calls)
	}
}

func TestForgetAsksNoEngineWhereNoNodeIsForgotten(t *testing.T) {
	s, _ := cacheOf(t, engineNode{})
	if forgotten, err := Forget(t.Context(), s.dir, time.Now().Add(-72*time.Hour), nil); err != nil || forgotten != 0 {
		t.Errorf("%d forgotten, %v", forgotten, err)
	}
	if forgotten, err := Forget(t.Context(), t.TempDir(), time.Now(), nil); err != nil || forgotten != 0 {
		t.Errorf("of an empty cache %d forgotten, %v", forgotten, err)
	}
}

func TestForgetLeavesImagesOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		own     bool
		node    engineNode
		held    string
		removed int
	}{
		"a pulled image in the user's engine":     {false, engineNode{Reference: "kindest/node:v1.28.0@sha256:0", ID: "sha256:1"}, "sha256:1", 0},
		"a pulled image in the project's engine":  {true, engineNode{Reference: "kindest/node:v1.28.0@sha256:0", ID: "sha256:1"}, "sha256:1", 1},
		"another image by the name of a lost one": {true, engineNode{Reference: "mesh-conformance/node:a", ID: "sha256:1"}, "sha256:2", 0},
		"an image that the engine has lost":       {true, engineNode{Reference: "mesh-conformance/node:a", ID: "sha256:1"}, "!no such image", 0},
	} {
		s, _ := cacheOf(t, c.node)
		docker := &fakeEngine{answers: map[string]string{"image inspect": c.held}}
		forgotten, err := Forget(t.Context(), s.dir, time.Now(), func() (NodeEngine, error) { return NodeEngine{docker, c.own}, nil })
		if err != nil || forgotten != 4 || docker.called("rmi") != c.removed {
			t.Errorf("%s: %d forgotten, %v; the engine was asked for %v", name, forgotten, err, docker.calls)
		}
	}
}

func TestForgetLeavesANodeWhoseImageStays(t *testing.T) {
	for name, engine := range map[string]func() (NodeEngine, error){
		"the image is in use": func() (NodeEngine, error) {
			return NodeEngine{Engine: &fakeEngine{answers: map[string]string{"image inspect": "sha256:1", "rmi": "!image is being used"}}}, nil
		},
		"there is no engine": func() (NodeEngine, error) {
			return NodeEngine{}, problem.Environment("no engine answers", "docker", "start it", errors.New("refused"))
		},
	} {
		s, _ := cacheOf(t, engineNode{Reference: "mesh-conformance/node:a", ID: "sha256:1"})
		if _, err := Forget(t.Context(), s.dir, time.Now(), engine); problem.ExitCode(err) != problem.ExitEnvironment {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Contains(stored(t, s), "node") {
			t.Errorf("%s: the node's description is gone", name)
		}
	}
}
