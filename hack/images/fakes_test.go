package images

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// fakeEngine answers docker commands from a script and writes down what was asked.
type fakeEngine struct {
	mu    sync.Mutex
	calls []string
	// answers by a command's beginning: what it prints, and on standard error with an exit code of 1 after "!".
	answers map[string]string
	// before, if set, is called with each command.
	before func(call string)
}

func (e *fakeEngine) Docker(ctx context.Context, args ...string) *exec.Cmd {
	e.mu.Lock()
	defer e.mu.Unlock()
	call := strings.Join(args, " ")
	e.calls = append(e.calls, call)
	if e.before != nil {
		e.before(call)
	}
	for beginning, answer := range e.answers {
		if !strings.HasPrefix(call, beginning) {
			continue
		}
		if complaint, ok := strings.CutPrefix(answer, "!"); ok {
			return exec.CommandContext(ctx, "sh", "-c", `echo "$0" >&2; exit 1`, complaint)
		}
		return exec.CommandContext(ctx, "echo", answer)
	}
	return exec.CommandContext(ctx, "true")
}

func (e *fakeEngine) called(beginning string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	count := 0
	for _, call := range e.calls {
		if strings.HasPrefix(call, beginning) {
			count++
		}
	}
	return count
}

// fakeRegistry is a registry in this process that counts the blobs it gave.
type fakeRegistry struct {
	hub   string
	blobs int
	// breaks is how many answers with a blob end half-way.
	breaks int
}

func newFakeRegistry(t *testing.T) *fakeRegistry {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	fake := &fakeRegistry{}
	inner := memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			mu.Lock()
			fake.blobs++
			broken := fake.breaks > 0
			fake.breaks--
			mu.Unlock()
			if broken {
				w.Header().Set("Content-Length", "1000000")
				_, _ = w.Write([]byte("half"))
				panic(http.ErrAbortHandler)
			}
		}
		inner.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	fake.hub = strings.TrimPrefix(server.URL, "http://") + "/istio"
	return fake
}

// push publishes an index with an image for each architecture, as Istio does, and returns their digests.
func (r *fakeRegistry) push(t *testing.T, image, tag string, architectures ...string) map[string]string {
	t.Helper()
	made := map[string]v1.Image{}
	for _, arch := range architectures {
		var err error
		if made[arch], err = random.Image(2000, 2); err != nil {
			t.Fatal(err)
		}
	}
	return r.publish(t, image, tag, architectures, made)
}

// pushProgram publishes an image that carries a program, and returns its digest.
func (r *fakeRegistry) pushProgram(t *testing.T, image, tag, program, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layer.tar")
	if err := writeLayer(path, []file{{to: "/usr/local/bin/" + program, content: content, mode: 0o755}}); err != nil {
		t.Fatal(err)
	}
	layer, err := openLayer(path)
	if err != nil {
		t.Fatal(err)
	}
	made, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	return r.publish(t, image, tag, []string{"amd64"}, map[string]v1.Image{"amd64": made})["amd64"]
}

// reporting is a program that reports a version of Istio of itself.
func reporting(version string) string {
	return fmt.Sprintf("#!/bin/sh\necho '{\"clientVersion\": {\"version\": \"%s\"}}'\n", version)
}

func (r *fakeRegistry) publish(t *testing.T, image, tag string, architectures []string, images map[string]v1.Image) map[string]string {
	t.Helper()
	index, digests := v1.ImageIndex(empty.Index), map[string]string{}
	for _, arch := range architectures {
		config, err := images[arch].ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", arch
		made, err := mutate.ConfigFile(images[arch], config)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := made.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[arch] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	reference, err := name.ParseReference(r.hub + "/" + image + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference, index); err != nil {
		t.Fatal(err)
	}
	return digests
}

// realise makes artifacts in a store by a Builder that has nothing else.
func (s store) realise(ctx context.Context, wanted []*artifact, progress Progress) error {
	return (&Builder{store: s, options: Options{Progress: progress}}).realise(ctx, wanted)
}
