package images

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"mesh-conformance/hack/loopback"
	"mesh-conformance/hack/problem"
)

const pilotAtHub = "docker.io/istio/pilot:1.20.0"

// realRegistry is a registry with TLS and a password, and the faults that a test switches on.
type realRegistry struct {
	*loopback.Server
	// breaks is how many answers with a blob break off in the middle; stalls says that they stop there instead.
	breaks atomic.Int32
	stalls atomic.Bool
	// silent says that no request is answered.
	silent atomic.Bool
}

func newRealRegistry(t *testing.T) *realRegistry {
	t.Helper()
	r := &realRegistry{}
	end := make(chan struct{})
	around := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			wait := func() {
				select {
				case <-end:
				case <-request.Context().Done():
				}
			}
			if r.silent.Load() {
				wait()
				return
			}
			blob := request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/")
			if stalls := r.stalls.Load(); blob && (stalls || r.breaks.Add(-1) >= 0) {
				whole := httptest.NewRecorder()
				next.ServeHTTP(whole, request)
				maps.Copy(w.Header(), whole.Header())
				w.WriteHeader(whole.Code)
				_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
				_ = http.NewResponseController(w).Flush()
				if stalls {
					wait()
				}
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, request)
		})
	}
	server, err := loopback.Start(loopback.Options{Dir: t.TempDir(), Address: "127.0.0.1:0", Around: around})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(end)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Server = server
	t.Setenv("DOCKER_CONFIG", server.DockerConfig)
	return r
}

// access reads the registry as the mirror of all others.
func (r *realRegistry) access() Access {
	return Access{Mirror: r.Host, CAFile: r.CAFile, SlowAfter: 10 * time.Second}
}

// push puts an index with an image for each architecture at a place of the mirror and returns the index' digest.
func (r *realRegistry) push(t *testing.T, place string, architectures ...string) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, architecture := range architectures {
		image, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", architecture
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	reference, err := name.ParseReference(r.Host + "/" + place)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := r.access().transport()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference, index, remote.WithTransport(transport), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func (r *realRegistry) builder(t *testing.T, access Access) *Builder {
	t.Helper()
	b := newPublished(t, &fakeEngine{}, "docker.io/istio")
	reader, err := NewReader("amd64", access)
	if err != nil {
		t.Fatal(err)
	}
	b.Reader = reader
	// One try, as every fault is met at the first.
	b.registry.options = append(b.registry.options, remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	return b
}

func TestMirrorIsRead(t *testing.T) {
	r := newRealRegistry(t)
	digest := r.push(t, "istio/pilot:1.20.0", "arm64", "amd64")
	b := r.builder(t, r.access())
	a, err := b.pulled(t.Context(), "pilot", RoleSubject, pilotAtHub)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.make(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	image, err := b.store.describe(a)
	if err != nil {
		t.Fatal(err)
	}
	if image.Reference != pilotAtHub || image.Mirror != r.Host+"/istio/pilot:1.20.0" || image.PinnedDigest != "" {
		t.Errorf("image %+v", image)
	}
	if got, err := b.Reader.Digest(t.Context(), pilotAtHub); err != nil || got != digest {
		t.Errorf("digest %s, %v; want %s", got, err, digest)
	}
	names := namesIn(t, archiveOf(t, b, a))
	if len(names) != 1 || names[0] != pilotAtHub {
		t.Errorf("the node gets the image as %q", names)
	}
}

// archiveOf is the content of an archive with one image.
func archiveOf(t *testing.T, b *Builder, a *artifact) map[string][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), archiveFile)
	if err := b.writeArchive(path, []*artifact{a}); err != nil {
		t.Fatal(err)
	}
	return archiveContent(t, path)
}

func TestDigestsOfTheMirror(t *testing.T) {
	r := newRealRegistry(t)
	digest := r.push(t, "istio/pilot:1.20.0", "amd64")
	other := nodeDigest
	for name, c := range map[string]struct {
		pinned, mirrored string
		wrong, replaced  string
	}{
		"none":                       {},
		"the pinned one":             {pinned: digest},
		"another than the pinned":    {pinned: other, wrong: "the digest of " + r.Host + "/istio/pilot:1.20.0 moved: " + other + " is pinned, the registry has " + digest},
		"the mirror's":               {pinned: other, mirrored: digest, replaced: other},
		"another than the mirror's":  {mirrored: other, wrong: "moved"},
		"the mirror's and the pin's": {pinned: digest, mirrored: digest},
	} {
		t.Run(name, func(t *testing.T) {
			access := r.access()
			if c.mirrored != "" {
				access.DigestsFile = filepath.Join(t.TempDir(), "digests.yaml")
				// Another spelling of the same reference.
				if err := os.WriteFile(access.DigestsFile, []byte("istio/pilot:1.20.0: "+c.mirrored+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := r.builder(t, access).Locate(t.Context(), pilotAtHub, c.pinned)
			if c.wrong != "" {
				oneLine(t, err, problem.ExitUsage, c.wrong)
				return
			}
			if err != nil || found.Digest != digest || found.Pinned != c.replaced {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

func oneLine(t *testing.T, err error, code int, want string) {
	t.Helper()
	if problem.ExitCode(err) != code || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(fmt.Sprint(err), "\n") {
		t.Errorf("got %v; want one line, exit code %d and %q", err, code, want)
	}
}

func TestBadRegistries(t *testing.T) {
	r := newRealRegistry(t)
	r.push(t, "istio/pilot:1.20.0", "amd64")
	r.push(t, "istio/pilot:foreign", "arm64", "s390x")
	wrongPassword := t.TempDir()
	if err := loopback.WriteCredentials(wrongPassword, r.Host, "wrong"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reference string
		code      int
		want      string
		set       func(t *testing.T, access *Access)
	}{
		"a wrong password": {pilotAtHub, problem.ExitEnvironment, "the image registry denies " + r.Host + "/istio/pilot:1.20.0", func(t *testing.T, _ *Access) {
			t.Setenv("DOCKER_CONFIG", wrongPassword)
		}},
		"no password":          {pilotAtHub, problem.ExitEnvironment, "docker login", func(t *testing.T, _ *Access) { t.Setenv("DOCKER_CONFIG", t.TempDir()) }},
		"an unknown tag":       {"docker.io/istio/pilot:9.9.9", problem.ExitUsage, "the image registry has no " + r.Host + "/istio/pilot:9.9.9", nil},
		"an unknown image":     {"docker.io/istio/nosuch:1", problem.ExitUsage, "has no " + r.Host + "/istio/nosuch:1", nil},
		"another architecture": {"docker.io/istio/pilot:foreign", problem.ExitUsage, r.Host + "/istio/pilot:foreign is not published for linux/amd64", nil},
		"an unknown authority": {pilotAtHub, problem.ExitEnvironment, "--registry-ca", func(_ *testing.T, access *Access) { access.CAFile = "" }},
		"a silent registry": {pilotAtHub, problem.ExitEnvironment, "does not answer in time", func(t *testing.T, access *Access) {
			access.SlowAfter = 200 * time.Millisecond
			r.silent.Store(true)
			t.Cleanup(func() { r.silent.Store(false) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			access := r.access()
			if c.set != nil {
				c.set(t, &access)
			}
			_, err := r.builder(t, access).pulled(t.Context(), "pilot", RoleSubject, c.reference)
			oneLine(t, err, c.code, c.want)
		})
	}
}

func TestBrokenDownloads(t *testing.T) {
	for name, c := range map[string]struct {
		breaks int32
		stalls bool
		want   string
	}{
		"one break": {breaks: 1}, "nothing but breaks": {breaks: 1000, want: "cannot pull"}, "a stall": {stalls: true, want: "does not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealRegistry(t)
			r.push(t, "istio/pilot:1.20.0", "amd64")
			access := r.access()
			if c.stalls {
				access.SlowAfter = 3 * time.Second
			}
			b := r.builder(t, access)
			a, err := b.pulled(t.Context(), "pilot", RoleSubject, pilotAtHub)
			if err != nil {
				t.Fatal(err)
			}
			r.breaks.Store(c.breaks)
			r.stalls.Store(c.stalls)
			err = b.store.make(t.Context(), a)
			if c.want == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if c.want != "" {
				oneLine(t, err, problem.ExitEnvironment, c.want)
			}
		})
	}
}

func TestMirrorMaps(t *testing.T) {
	digest := "@" + nodeDigest
	for _, c := range []struct{ mirror, from, to string }{
		{"m.example", "docker.io/istio/pilot:1", "m.example/istio/pilot:1"},
		{"m.example:5000/a/b", "istio/pilot:1", "m.example:5000/a/b/istio/pilot:1"},
		{"m.example/a/", "debian", "m.example/a/library/debian:latest"},
		{"m.example", "registry.k8s.io/etcd:3.5.15-0", "m.example/etcd:3.5.15-0"},
		{"m.example", "kindest/node" + digest, "m.example/kindest/node" + digest},
		{"m.example/a", "m.example/other/pilot:1", "m.example/other/pilot:1"},
		{"m.example", "localhost/mesh-conformance/echo:local", "localhost/mesh-conformance/echo:local"},
	} {
		mirror, err := ParseMirror(c.mirror)
		if err != nil {
			t.Fatal(err)
		}
		from, err := name.ParseReference(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := mirror.Map(from); err != nil || got.Name() != c.to {
			t.Errorf("%s by %s is %v, %v; want %s", c.from, c.mirror, got, err, c.to)
		}
	}
	for _, wrong := range []string{"https://m.example", "mirror", "m.example/UPPER", "m.example:x/a", ""} {
		_, err := ParseMirror(wrong)
		oneLine(t, err, problem.ExitUsage, "--mirror")
	}
}

func TestReadDigestsRefuses(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"no digest":            {"istio/pilot:1: latest", "is no digest"},
		"another algorithm":    {"istio/pilot:1: sha512:" + strings.Repeat("0", 128), "is no digest"},
		"no map":               {"- istio/pilot:1", "malformed"},
		"no reference":         {"Not A Reference: " + nodeDigest, "malformed"},
		"one reference twice":  {"istio/pilot:1: " + nodeDigest + "\ndocker.io/istio/pilot:1: " + nodeDigest, "twice"},
		"a key twice":          {"istio/pilot:1: " + nodeDigest + "\nistio/pilot:1: " + nodeDigest, "malformed"},
		"more than one digest": {"istio/pilot:1: [" + nodeDigest + "]", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "digests.yaml")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadDigests(path)
			oneLine(t, err, problem.ExitUsage, c.want)
		})
	}
	_, err := ReadDigests(filepath.Join(t.TempDir(), "nosuch"))
	oneLine(t, err, problem.ExitUsage, "--mirror-digests")
}

func TestAccessRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, access := range map[string]Access{
		"--registry-ca":    {CAFile: filepath.Join(t.TempDir(), "nosuch")},
		"no PEM":           {CAFile: empty},
		"without a mirror": {DigestsFile: empty},
		"malformed mirror": {Mirror: "http://x"},
	} {
		_, err := NewReader("amd64", access)
		oneLine(t, err, problem.ExitUsage, want)
	}
}

func TestNodeAtTheMirror(t *testing.T) {
	reference := "kindest/node:v1.28.0@" + nodeDigest
	for name, c := range map[string]struct{ mirror, digests, at, pinned string }{
		"no mirror":           {at: reference},
		"a mirror":            {mirror: "m.example", at: "m.example/kindest/node:v1.28.0@" + nodeDigest},
		"a mirror's own node": {"m.example", "kindest/node:v1.28.0: " + nodeID, "m.example/kindest/node:v1.28.0@" + nodeID, nodeDigest},
	} {
		t.Run(name, func(t *testing.T) {
			access := Access{Mirror: c.mirror}
			if c.digests != "" {
				access.DigestsFile = filepath.Join(t.TempDir(), "digests.yaml")
				if err := os.WriteFile(access.DigestsFile, []byte(c.digests), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			reader, err := NewReader("amd64", access)
			if err != nil {
				t.Fatal(err)
			}
			at, node, err := (&Builder{Reader: reader}).nodeAt(reference)
			if err != nil || at != c.at || node.Pinned != c.pinned || (node.Mirror != "") != (c.mirror != "") {
				t.Errorf("%s, %+v, %v", at, node, err)
			}
		})
	}
}

func TestParseTraits(t *testing.T) {
	for name, c := range map[string]struct {
		printed                      string
		version                      string
		network, cgroupfs, patchedIs bool
		wrong                        string
	}{
		"published":        {"version v1.28.0\ndefault-network\nsystemd\n", "1.28.0", false, false, false, ""},
		"built":            {"version v1.28.15\nown-network\npatched\n", "1.28.15", true, true, true, ""},
		"kind's and other": {"version v1.28.0\ndefault-network\nown-network\nsystemd\n", "1.28.0", false, false, false, ""},
		"no version":       {"version \ndefault-network\n", "", false, false, false, "/kind/version"},
		"no network":       {"version v1.28.0\n", "", false, false, false, "default-cni"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTraits(c.printed)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || got.Kubernetes != c.version || got.OwnNetwork != c.network || got.Cgroupfs != c.cgroupfs || got.Patched != c.patchedIs {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestNamedNodeIsTakenFromTheEngine(t *testing.T) {
	for name, c := range map[string]struct {
		reference string
		pulls     int
		printed   string
		code      int
	}{
		"a tag":     {"node:mine", 0, "version v1.28.3\nown-network\n", 0},
		"a digest":  {"node:mine@" + nodeDigest, 1, "version v1.28.3\ndefault-network\n", 0},
		"no node":   {"node:mine", 0, "version \n", problem.ExitUsage},
		"no script": {"node:mine", 0, "!no such file: /bin/sh", problem.ExitEnvironment},
	} {
		t.Run(name, func(t *testing.T) {
			engine := &fakeEngine{answers: map[string]string{"image inspect": nodeID, "run --rm": c.printed}}
			b := newPublished(t, engine, "")
			a, err := b.namedNode(c.reference)
			if err != nil {
				t.Fatal(err)
			}
			err = b.store.make(t.Context(), a)
			if problem.ExitCode(err) != c.code || engine.called("pull") != c.pulls {
				t.Fatalf("%v; docker was asked %q", err, engine.calls)
			}
			if node, err := readNode(b.store.path(a)); c.code == 0 && (err != nil || node.Traits.Kubernetes != "1.28.3" || node.ID != nodeID) {
				t.Errorf("%+v, %v", node, err)
			}
		})
	}
}

func TestNodeVersionIsThatOfTheImage(t *testing.T) {
	b := newPublished(t, &fakeEngine{answers: map[string]string{"image inspect": nodeID, "run --rm": "version v1.27.9\ndefault-network\n"}}, "")
	b.options.NodeSource = "node:v1.28.0"
	if version, err := b.NodeVersion(t.Context()); err != nil || version != "1.27.9" {
		t.Errorf("%q, %v", version, err)
	}
}

// A reader that is busy elsewhere, for example with a full disk, is not the registry's fault.
func TestASlowReaderIsNoSlowRegistry(t *testing.T) {
	const patience = 500 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 8<<20))
	}))
	defer server.Close()
	client := http.Client{Transport: stallGuard{http.DefaultTransport, patience}}
	answer, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	time.Sleep(3 * patience / 2)
	if _, err := io.ReadFull(answer.Body, make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * patience / 2)
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
}
