package images

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"mesh-conformance/kindconfig"
)

const (
	nodeID     = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	nodeDigest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// publishedTraits is what kind's own node image prints of its traits.
const publishedTraits = "version v1.28.0\ndefault-network\nsystemd"

func publishedCell(t *testing.T, b *Builder) (kindconfig.Kubernetes, kindconfig.Subject) {
	t.Helper()
	subject, err := b.versions.Subject(kindconfig.SubjectFile{Istio: "1.20.0"})
	if err != nil {
		t.Fatal(err)
	}
	return kindconfig.Kubernetes{Minor: "1.28", Version: "1.28.15", Published: "kindest/node:v1.28.0@" + nodeDigest}, subject
}

// releasesAt sets hub as the registry of every pinned release.
func releasesAt(versions *kindconfig.Versions, hub string) {
	for version, pins := range versions.Istio {
		pins.Published = kindconfig.Hub{Hub: hub, Tag: version}
		versions.Istio[version] = pins
	}
}

// newPublished builds from a hub that stands for every release's.
func newPublished(t *testing.T, engine *fakeEngine, hub string) *Builder {
	t.Helper()
	versions, err := kindconfig.Load()
	if err != nil {
		t.Fatal(err)
	}
	releasesAt(versions, hub)
	b, err := New(t.Context(), engine, versions, Options{
		Repository: filepath.Join("..", ".."), Cache: t.TempDir(), Source: SourcePublished, NodeSource: SourcePublished, Progress: &recorder{},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.goarch, b.registry = "amd64", newRegistry("amd64", remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	return b
}

// withoutCompiling puts files in place of what a plan would compile; images and archives are made.
func withoutCompiling(t *testing.T, p *plan) {
	t.Helper()
	seen := map[*artifact]bool{}
	var visit func(a *artifact)
	visit = func(a *artifact) {
		if seen[a] {
			return
		}
		seen[a] = true
		for _, need := range a.needs {
			visit(need)
		}
		if len(a.needs) == 0 && !strings.HasPrefix(a.name, "published-") {
			a.build = func(_ context.Context, out string, _ io.Writer) error {
				for _, name := range []string{"istioctl", "server", "client", "controller", "speaker", "echo-basic", "cert.crt", "cert.key", "wasmserver", "plugin.wasm", "sccadmission"} {
					if err := os.WriteFile(filepath.Join(out, name), []byte(a.name+name), 0o755); err != nil {
						return err
					}
				}
				return os.Mkdir(filepath.Join(out, manifestsPath), 0o755)
			}
		}
	}
	for _, a := range p.wanted() {
		visit(a)
	}
}

func TestPublishedCell(t *testing.T) {
	fake, engine := newFakeRegistry(t), &fakeEngine{answers: map[string]string{"image inspect": nodeID, "run --rm": publishedTraits}}
	pilot := reporting("1.20.0")
	want := map[string]string{
		"node":  nodeDigest,
		"pilot": fake.pushProgram(t, "pilot", "1.20.0", "pilot-discovery", pilot), "proxyv2": fake.push(t, "proxyv2", "1.20.0", "amd64", "arm64")["amd64"],
		"install-cni": fake.push(t, "install-cni", "1.20.0", "amd64")["amd64"],
	}
	for _, version := range []string{"1.19.0", "1.20.1"} {
		for _, image := range []string{"pilot", "proxyv2"} {
			want[image+"-"+version] = fake.push(t, image, version, "amd64")["amd64"]
		}
	}
	pulled := len(want) - 1
	for _, version := range []string{"1.19.0", "1.20.0", "1.20.1"} {
		fake.pushProgram(t, "istioctl", version, "istioctl", reporting(version))
		pulled++
	}
	b := newPublished(t, engine, fake.hub)
	kubernetes, subject := publishedCell(t, b)
	prepare := func() *kindconfig.Cell {
		p, err := b.plan(t.Context(), kubernetes, subject)
		if err != nil {
			t.Fatal(err)
		}
		withoutCompiling(t, p)
		if err := b.store.realise(t.Context(), p.wanted(), b.options.Progress); err != nil {
			t.Fatal(err)
		}
		cell, err := b.describe(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return cell
	}
	fake.blobs = 0
	cell := prepare()

	if cell.Node != kubernetes.Published || cell.Kubernetes != "1.28.0" || cell.Source != SourcePublished || cell.NodeSource != SourcePublished || cell.Hub != fake.hub || cell.Tag != "1.20.0" ||
		cell.ProxyFlavour != "istio" || cell.ProxyVersion != "1.20.0" || len(cell.Archives) != 1 ||
		cell.NodeTraits != kindconfig.PublishedNode("1.28.0") {
		t.Errorf("cell %+v", cell)
	}
	for version, path := range map[string]string{"1.20.0": cell.Istioctl, "1.19.0": cell.Before.Istioctl, "1.20.1": cell.After.Istioctl} {
		if content := read(t, path); string(content) != reporting(version) {
			t.Errorf("istioctl of %s is %q", version, content)
		}
	}
	for version, other := range map[string]kindconfig.Release{"1.19.0": cell.Before, "1.20.1": cell.After} {
		if other.Istio != version || other.Hub != fake.hub || other.Tag != version {
			t.Errorf("the release %s is %+v", version, other)
		}
	}
	if engine.called("pull --quiet "+kubernetes.Published) != 1 {
		t.Errorf("docker was asked %q", engine.calls)
	}
	for _, image := range cell.Images {
		published := image.Role != RoleInstrument
		if published != (image.Source == SourcePublished) || published && image.Digest != want[image.Name] {
			t.Errorf("image %+v, want digest %s", image, want[image.Name])
		}
		delete(want, image.Name)
	}
	if len(want) > 0 {
		t.Errorf("the cell lists no %v", want)
	}

	// Everything but the node is side-loaded, under the names that istioctl and the manifests give it.
	names := namesIn(t, archiveContent(t, cell.Archives[0]))
	for _, image := range cell.Images {
		if image.Name != "node" && !slices.Contains(names, image.Reference) {
			t.Errorf("%s is not among %q", image.Reference, names)
		}
	}
	for _, wanted := range []string{fake.hub + "/pilot:1.20.0", fake.hub + "/proxyv2:1.20.0", fake.hub + "/install-cni:1.20.0",
		fake.hub + "/pilot:1.19.0", fake.hub + "/proxyv2:1.20.1", "quay.io/metallb/speaker:v0.15.2", "localhost/mesh-conformance/echo:local"} {
		if !slices.Contains(names, wanted) {
			t.Errorf("%s is not among %q", wanted, names)
		}
	}

	// A second run asks what the tags stand for and pulls nothing; a moved tag is pulled.
	layers := func() int {
		before := fake.blobs
		prepare()
		return fake.blobs - before
	}
	if configurations := layers(); configurations != pulled || engine.called("pull") != 1 {
		t.Errorf("a second run read %d blobs and pulled %d nodes", configurations, engine.called("pull"))
	}
	moved := fake.pushProgram(t, "pilot", "1.20.0", "pilot-discovery", pilot+"# another build\n")
	if cell := prepare(); cell.Images[1].Digest != moved {
		t.Errorf("after the tag moved to %s the cell has %+v", moved, cell.Images[1])
	}

	// A mirror's digest that versions.yaml does not pin makes it another build than the pinned release.
	if !cell.Subject.Pinned {
		t.Error("a release as published is not pinned")
	}
	reference := fake.hub + "/proxyv2:1.20.0"
	digest, err := b.Digest(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	key, err := digestKey(reference)
	if err != nil {
		t.Fatal(err)
	}
	b.digests = Digests{key: digest}
	if cell := prepare(); cell.Subject.Pinned {
		t.Error("a release with another proxy is pinned")
	}
}
