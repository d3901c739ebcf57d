package images

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"mesh-conformance/hack/cgroup"
)

func TestBuildsWithoutAGroupWaitWhileSpecsRun(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		progress := &recorder{}
		b := &Builder{store: store{dir: dir}, options: Options{Progress: progress}}
		proceed := make(chan struct{})
		first := &artifact{name: "first", build: func(context.Context, string, io.Writer) error {
			<-proceed
			return nil
		}}
		second := product("second", new(int), first)
		built := make(chan error, 1)
		go func() { built <- b.realise(t.Context(), []*artifact{second}) }()
		synctest.Wait()

		releases := make(chan func(), 2)
		specs := func() {
			release, err := b.Beside(t.Context())
			if err != nil {
				t.Error(err)
			}
			releases <- release
		}
		go specs()
		go specs()
		synctest.Wait()
		if len(releases) > 0 {
			t.Error("specs began while a build was under way")
		}
		close(proceed)
		synctest.Wait()
		if len(releases) != 2 || !slices.Equal(progress.begun, []string{"first"}) {
			t.Errorf("%d stretches of specs run, began %v", len(releases), progress.begun)
		}
		release := <-releases
		release()
		release()
		synctest.Wait()
		if !slices.Equal(progress.begun, []string{"first"}) {
			t.Error("a build began beside the other specs")
		}
		(<-releases)()
		if err := <-built; err != nil || !slices.Equal(progress.begun, []string{"first", "second"}) {
			t.Errorf("began %v, %v", progress.begun, err)
		}
		if len(progress.notes) != 2 || progress.notes[0] != "specs wait until 1 running builds have ended" {
			t.Errorf("noted %q", progress.notes)
		}
	})
}

func TestBesideEndsWithTheContext(t *testing.T) {
	b := &Builder{options: Options{Progress: &recorder{}}}
	if !b.pace.enter() {
		t.Fatal("a build may not begin")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release, err := b.Beside(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if !b.pace.enter() {
		t.Error("builds still wait for specs that never ran")
	}
}

func TestHeldBuildsEndWithTheContext(t *testing.T) {
	progress := &recorder{}
	b := &Builder{store: store{dir: t.TempDir()}, options: Options{Progress: progress}}
	if _, err := b.Beside(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- b.realise(ctx, []*artifact{product("a", new(int))}) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || len(progress.begun) > 0 {
		t.Errorf("began %v, %v", progress.begun, err)
	}
}

// TestBuildsRunInTheirGroup looks at real processes: one that began before the specs and one beside them.
func TestBuildsRunInTheirGroup(t *testing.T) {
	group, err := cgroup.OpenBuilds(cgroup.Root, t.TempDir())
	if err != nil {
		t.Skipf("this machine has no group for builds: %v", err)
	}
	defer func() {
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	}()
	b := &Builder{store: store{dir: t.TempDir()}, options: Options{Progress: &recorder{}}, pace: pace{group: group}}
	where := func(name string, said *bytes.Buffer, also func() error) *artifact {
		return &artifact{name: name, build: func(ctx context.Context, _ string, _ io.Writer) error {
			return errors.Join(also(), run(command(ctx, said, "sh", "-c", "cat /proc/self/cgroup; nice")))
		}}
	}
	var before, beside bytes.Buffer
	var release func()
	first := where("first", &before, func() (err error) {
		release, err = b.Beside(t.Context())
		return err
	})
	second := where("second", &beside, func() error { return nil })
	second.needs = []*artifact{first}
	if err := b.realise(t.Context(), []*artifact{second}); err != nil {
		t.Fatal(err)
	}
	release()
	for name, said := range map[string]string{"before": before.String(), "beside": beside.String()} {
		if !strings.Contains(said, "/mesh-conformance-builds-") {
			t.Errorf("%s: not in the group: %s", name, said)
		}
	}
	if !strings.HasSuffix(strings.TrimSpace(beside.String()), "\n19") {
		t.Errorf("beside specs the driver's thread kept its niceness: %s", beside.String())
	}
	known := b.store.loadDurations()
	if len(known["first"]) != 1 || !known["first"][0].Specs || len(known["second"]) != 1 || !known["second"][0].Specs {
		t.Errorf("recorded %+v", known)
	}
}

func TestACompilersComplaintNamesItsCommandInTheGroupToo(t *testing.T) {
	group, err := cgroup.OpenBuilds(cgroup.Root, t.TempDir())
	if err != nil {
		t.Skipf("this machine has no group for builds: %v", err)
	}
	p := &pace{group: group}
	for _, specs := range []int{0, 1} {
		p.specs = specs
		err := runGo(command(withPace(t.Context(), p), io.Discard, "go", "vet", "./nowhere"))
		if err == nil || !strings.HasPrefix(err.Error(), "go vet: ") {
			t.Errorf("specs %d: %v", specs, err)
		}
	}
	if err := group.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecordsReachTheNextBuild(t *testing.T) {
	dir, progress := t.TempDir(), &recorder{}
	a := product("a", new(int))
	err := store{dir: dir}.realise(t.Context(), []*artifact{a}, progress)
	if err != nil || progress.usual["a"].Recorded {
		t.Fatalf("%+v, %v", progress.usual, err)
	}
	again := &recorder{}
	if err := os.RemoveAll((store{dir: dir}).path(a)); err != nil {
		t.Fatal(err)
	}
	if err := (store{dir: dir}).realise(t.Context(), []*artifact{a}, again); err != nil || !again.usual["a"].Recorded {
		t.Errorf("%+v, %v", again.usual, err)
	}
}
