package images

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

func TestPullBeginsAgain(t *testing.T) {
	for breaks, want := range map[int]int{1: 0, 100: problem.ExitEnvironment} {
		t.Run(fmt.Sprint(breaks, " breaks"), func(t *testing.T) {
			fake := newFakeRegistry(t)
			fake.push(t, "pilot", "1.20.0", "amd64")
			b := newPublished(t, &fakeEngine{}, fake.hub)
			a, err := b.pulled(t.Context(), "pilot", RoleSubject, fake.hub+"/pilot:1.20.0")
			if err != nil {
				t.Fatal(err)
			}
			fake.breaks = breaks
			err = b.store.make(t.Context(), a)
			if problem.ExitCode(err) != want || (err != nil) == b.store.has(t.Context(), a) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPublishedRefusals(t *testing.T) {
	answering := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(status)
			}
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://") + "/istio"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String() + "/istio"
	_ = listener.Close()
	fake := newFakeRegistry(t)
	foreign := newFakeRegistry(t)
	foreign.push(t, "pilot", "1.20.0", "arm64", "s390x")

	for name, c := range map[string]struct {
		hub  string
		code int
		want string
	}{
		"an unknown tag":           {fake.hub, problem.ExitUsage, "has no " + fake.hub + "/pilot:1.20.0"},
		"another architecture":     {foreign.hub, problem.ExitUsage, "is not published for linux/amd64"},
		"a hub that denies":        {answering(http.StatusForbidden), problem.ExitEnvironment, "denies"},
		"a hub that wants a login": {answering(http.StatusUnauthorized), problem.ExitEnvironment, "docker login"},
		"a hub that limits":        {answering(http.StatusTooManyRequests), problem.ExitEnvironment, "limits"},
		"a broken hub":             {answering(http.StatusInternalServerError), problem.ExitEnvironment, "cannot pull"},
		"nobody there":             {closed, problem.ExitEnvironment, "--images built"},
		"a malformed hub":          {"Not A Hub", problem.ExitUsage, "malformed image reference"},
		"no hub":                   {"", problem.ExitUsage, "has no published images"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPublished(t, &fakeEngine{}, c.hub)
			kubernetes, subject := publishedCell(t, b)
			_, err := b.Cell(t.Context(), kubernetes, subject)
			if problem.ExitCode(err) != c.code || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("got %v; want exit code %d and %q", err, c.code, c.want)
			}
		})
	}
}

func TestPublishedNodeRefusals(t *testing.T) {
	kubernetes, _ := publishedCell(t, newPublished(t, &fakeEngine{}, ""))
	for said, want := range map[string]struct {
		code int
		text string
	}{
		"Error response from daemon: manifest for kindest/node not found: manifest unknown": {problem.ExitUsage, "has no"},
		"pull access denied for kindest/node, repository does not exist":                    {problem.ExitEnvironment, "denies"},
		"toomanyrequests: You have reached your pull rate limit":                            {problem.ExitEnvironment, "limits"},
		"Get https://registry-1.docker.io/v2/: dial tcp: connection refused":                {problem.ExitEnvironment, "cannot pull"},
		"write /var/lib/docker/tmp/x: no space left on device":                              {problem.ExitEnvironment, "the disk is full"},
	} {
		b := newPublished(t, &fakeEngine{answers: map[string]string{"pull": "!" + said}}, "")
		a, err := b.pulledNode(kubernetes)
		if err != nil {
			t.Fatal(err)
		}
		err = b.store.make(t.Context(), a)
		if problem.ExitCode(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q became %v", said, err)
		}
	}
	kubernetes.Published = "kindest/node:v1.28.0"
	if _, err := newPublished(t, &fakeEngine{}, "").pulledNode(kubernetes); problem.ExitCode(err) != problem.ExitUsage {
		t.Errorf("a node that is not pinned by digest: %v", err)
	}
}

func TestNodeIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := writeJSON(filepath.Join(dir, nodeFile), engineNode{Reference: "node:1", ID: nodeID}); err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]bool{nodeID: true, nodeDigest: false, "!No such image: node:1": false} {
		b := &Builder{engine: &fakeEngine{answers: map[string]string{"image inspect": answer}}}
		if got := b.nodeIsThere(t.Context(), dir); got != want {
			t.Errorf("engine says %q: %v", answer, got)
		}
	}
	if (&Builder{engine: &fakeEngine{}}).nodeIsThere(t.Context(), t.TempDir()) {
		t.Error("a node without a description is there")
	}
}

func TestNodeReferences(t *testing.T) {
	for reference, want := range map[string][]string{
		"docker.io/istio/pilot:1":       {"docker.io/istio/pilot:1"},
		"index.docker.io/istio/pilot:1": {"index.docker.io/istio/pilot:1", "docker.io/istio/pilot:1"},
		"istio/pilot:1":                 {"istio/pilot:1", "docker.io/istio/pilot:1"},
		"localhost/istio/pilot:1":       {"localhost/istio/pilot:1"},
		"hub:5000/istio/pilot:1":        {"hub:5000/istio/pilot:1"},
		"gcr.io/istio-testing/pilot:1":  {"gcr.io/istio-testing/pilot:1"},
	} {
		if got := nodeReferences(reference); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}

func TestPublishedVersion(t *testing.T) {
	for published, want := range map[string]string{
		"kindest/node:v1.28.0@" + nodeDigest:        "1.28.0",
		"hub:5000/node:v1.28.4@" + nodeDigest:       "1.28.4",
		"kindest/node@" + nodeDigest:                "1.28.15",
		"kindest/node:latest@" + nodeDigest:         "1.28.15",
		"hub:5000/kindest/node:v1.27@" + nodeDigest: "1.28.15",
	} {
		if got := publishedVersion(kindconfig.Kubernetes{Minor: "1.28", Version: "1.28.15", Published: published}); got != want {
			t.Errorf("%s is %s, want %s", published, got, want)
		}
	}
}
