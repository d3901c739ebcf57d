package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// link makes a symbolic link and returns its path.
func link(t *testing.T, target, path string) string {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// sourceDigest is the digest of the subject that a source tree is.
func sourceDigest(t *testing.T, dir string) string {
	t.Helper()
	subject, err := Subject(t.Context(), loadVersions(t), kindconfig.SubjectFile{Source: dir})
	if err != nil {
		t.Fatal(err)
	}
	return subject.Digest(kindconfig.PartSource)
}

func TestASourceThroughALink(t *testing.T) {
	dir := tree(t)
	linked := link(t, dir, filepath.Join(t.TempDir(), "linked"))
	before := sourceDigest(t, linked)
	if before != sourceDigest(t, dir) {
		t.Error("the tree has another digest through a link")
	}
	writeTree(t, dir, map[string]string{"pilot/pkg/x.go": "package x // patched\n"})
	if sourceDigest(t, linked) == before {
		t.Error("an edit of the tree behind a link does not change its digest")
	}
}

func TestChartsThroughALink(t *testing.T) {
	b, _, _ := newPlanner(t)
	charts := filepath.Join(tree(t), "manifests")
	linked := link(t, charts, filepath.Join(t.TempDir(), "linked"))
	key := func() string {
		t.Helper()
		asked := kindconfig.SubjectFile{Hub: "h", Tag: "t", Charts: linked}
		subject, err := Subject(t.Context(), b.versions, asked)
		if err != nil {
			t.Fatal(err)
		}
		p := b.planner(t.Context())
		made := p.givenCharts(subject.Asked.Charts)
		if p.err != nil {
			t.Fatal(p.err)
		}
		return made.key()
	}
	before := key()
	writeTree(t, charts, map[string]string{"charts/base/values.yaml": "x: 1\n"})
	if key() == before {
		t.Error("an edit of charts behind a link does not change their key")
	}
}

func TestWhatATreePullsInCounts(t *testing.T) {
	dir, outside := tree(t), t.TempDir()
	local := writeTree(t, filepath.Join(filepath.Dir(dir), "local-api"), map[string]string{"go.mod": "module istio.io/api\n", "x.go": "package api\n"})
	writeTree(t, dir, map[string]string{
		"go.mod": "module istio.io/istio\n\ngo 1.21\n\nreplace istio.io/api => ../local-api\n", "out/made.go": "package out\n", "dir/x": "x",
	})
	writeTree(t, outside, map[string]string{"linked.go": "package pilot\n"})
	link(t, filepath.Join(outside, "linked.go"), filepath.Join(dir, "pilot", "linked.go"))
	link(t, "../out/made.go", filepath.Join(dir, "pilot", "made.go"))
	link(t, "../dir", filepath.Join(dir, "pilot", "dir"))
	link(t, "nowhere", filepath.Join(dir, "pilot", "dangling"))
	for name, edit := range map[string]struct{ dir, path string }{
		"a local module of a replace line": {local, "x.go"}, "a file that a link leads to": {outside, "linked.go"},
		"a file that is left out in its own place": {dir, "out/made.go"},
	} {
		before := sourceDigest(t, dir)
		writeTree(t, edit.dir, map[string]string{edit.path: "package changed\n"})
		if sourceDigest(t, dir) == before {
			t.Errorf("an edit of %s does not change the tree's digest", name)
		}
	}
	link(t, outside, filepath.Join(dir, "cni", "folder"))
	_, err := Subject(t.Context(), loadVersions(t), kindconfig.SubjectFile{Source: dir})
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "leads to a folder outside") {
		t.Errorf("a link to a folder outside: %v", err)
	}
}

func TestALocalReplaceThatIsMissing(t *testing.T) {
	dir := writeTree(t, tree(t), map[string]string{"go.mod": "module istio.io/istio\n\nreplace istio.io/api => ../none\n"})
	_, err := Subject(t.Context(), loadVersions(t), kindconfig.SubjectFile{Source: dir})
	if problem.ExitCode(err) != problem.ExitUsage || !strings.Contains(err.Error(), "go.mod replaces istio.io/api by ") {
		t.Error(err)
	}
}

func TestPinsOfATreeResolveItsLocalModules(t *testing.T) {
	b, _, _ := newPlanner(t)
	dir := writeTree(t, tree(t), map[string]string{"go.mod": "module istio.io/istio\n\nreplace istio.io/api v1.20.0 => ./api\n", "api/go.mod": "module istio.io/api\n"})
	if err := os.MkdirAll(b.store.scratch(), 0o755); err != nil {
		t.Fatal(err)
	}
	pins, err := b.treePins(t.Context(), os.Stderr, dir)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(pins)
	if err != nil || !strings.Contains(string(content), "istio.io/api v1.20.0 => "+filepath.Join(dir, "api")) {
		t.Errorf("%s, %v", content, err)
	}
}
