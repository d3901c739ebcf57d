package images

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
)

// Access says how image registries are reached. Credentials are those of docker login: the file config.json in the
// folder that DOCKER_CONFIG names, by default ~/.docker, and its credential helpers.
type Access struct {
	// Mirror is HOST or HOST/PATH of a registry that stands for every other; empty means none.
	Mirror string
	// DigestsFile maps references to the digests that the mirror has for them, see Digests.
	DigestsFile string
	// CAFile has PEM certificates of authorities to trust besides the system's, which SSL_CERT_FILE may name.
	CAFile string
	// SlowAfter bounds the time in which a registry has to begin each answer; 0 means slowAfter.
	SlowAfter time.Duration
}

// slowAfter is the usual time in which a registry has to begin each answer: a layer may take longer as a whole.
const slowAfter = 30 * time.Second

// Mirror maps references to a registry that stands for others, as a mirror in containerd's hosts.toml does: the
// repository keeps its path, and only the registry's host is another. docker.io/istio/pilot:1.20.0 and
// istio/pilot:1.20.0 become HOST/PATH/istio/pilot:1.20.0, docker.io/debian becomes HOST/PATH/library/debian, and
// registry.k8s.io/etcd:3.5.15-0 becomes HOST/PATH/etcd:3.5.15-0. Tags and digests stay. A reference that is in the
// mirror, or below localhost/ because it is built here, stays as it is.
type Mirror struct{ host, path string }

// ParseMirror reads HOST or HOST/PATH.
func ParseMirror(text string) (Mirror, error) {
	host, path, _ := strings.Cut(strings.TrimSuffix(text, "/"), "/")
	wrong := func(why string) (Mirror, error) {
		return Mirror{}, problem.Usage(fmt.Sprintf("malformed mirror %q: %s", text, why), "--mirror", "give HOST or HOST/PATH, for example registry.example.com:5000/mirror")
	}
	if strings.Contains(text, "://") {
		return wrong("a scheme is no part of it")
	}
	if !strings.ContainsAny(host, ".:") && host != "localhost" {
		return wrong("its first part is no host: a host has a dot or a port, or is localhost")
	}
	if _, err := name.NewRegistry(host); err != nil {
		return wrong(err.Error())
	}
	if path != "" {
		if _, err := name.NewRepository(host + "/" + path); err != nil {
			return wrong(err.Error())
		}
		path += "/"
	}
	return Mirror{host: host, path: path}, nil
}

// Map returns where the mirror has what a reference names, with the tag or digest of the reference.
func (m Mirror) Map(reference name.Reference) (name.Reference, error) {
	from := reference.Context()
	if m.host == "" || from.RegistryStr() == m.host || from.RegistryStr() == "localhost" {
		return reference, nil
	}
	repository := m.host + "/" + m.path + from.RepositoryStr()
	if _, ok := reference.(name.Digest); ok {
		return name.NewDigest(repository + "@" + reference.Identifier())
	}
	return name.NewTag(repository + ":" + reference.Identifier())
}

// Digests are the digests that a mirror has for images, by full reference without digest.
type Digests map[string]string

// ReadDigests reads a file of digests: YAML that maps references with a tag, as qualify images prints them, to digests
// (sha256:…). A reference has one entry, whatever its spelling.
func ReadDigests(path string) (Digests, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, problem.Usage("cannot read the digests of the mirror: "+err.Error(), "--mirror-digests", "name a readable file")
	}
	wrong := func(why string) (Digests, error) {
		return nil, problem.Usage("malformed digests of the mirror: "+why, path, "write one line REFERENCE: sha256:… for each image")
	}
	var entries map[string]string
	if err := yaml.UnmarshalStrict(content, &entries); err != nil {
		return wrong(err.Error())
	}
	digests := Digests{}
	for reference, digest := range entries {
		key, err := digestKey(reference)
		if err != nil {
			return wrong(err.Error())
		}
		if _, err := v1.NewHash(digest); err != nil || !strings.HasPrefix(digest, "sha256:") {
			return wrong(fmt.Sprintf("%q of %s is no digest", digest, reference))
		}
		if _, twice := digests[key]; twice {
			return wrong(reference + " is there twice")
		}
		digests[key] = digest
	}
	return digests, nil
}

// digestKey is a reference in full, index.docker.io/istio/pilot:1.20.0, without its digest.
func digestKey(reference string) (string, error) {
	tagged, _, _ := strings.Cut(reference, "@")
	parsed, err := name.NewTag(tagged)
	if err != nil {
		return "", err
	}
	return parsed.Name(), nil
}

// of is the mirror's digest of a reference, or the empty string.
func (d Digests) of(reference string) string {
	key, err := digestKey(reference)
	if err != nil {
		return ""
	}
	return d[key]
}

// Reader reads image registries.
type Reader struct {
	registry registry
	mirror   Mirror
	digests  Digests
}

// NewReader prepares reading for one architecture, for example amd64; no registry is asked yet.
func NewReader(arch string, access Access) (Reader, error) {
	transport, err := access.transport()
	if err != nil {
		return Reader{}, err
	}
	r := Reader{registry: newRegistry(arch, remote.WithTransport(stallGuard{transport, access.patience()}))}
	if access.Mirror != "" {
		if r.mirror, err = ParseMirror(access.Mirror); err != nil {
			return Reader{}, err
		}
	}
	if access.DigestsFile != "" {
		if access.Mirror == "" {
			return Reader{}, problem.Usage("digests of a mirror without a mirror", "--mirror-digests", "give --mirror, too")
		}
		if r.digests, err = ReadDigests(access.DigestsFile); err != nil {
			return Reader{}, err
		}
	}
	return r, nil
}

// transport trusts the certificate authorities of the system and of CAFile.
func (a Access) transport() (*http.Transport, error) {
	slow := a.patience()
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: slow, KeepAlive: slow}).DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: slow, ResponseHeaderTimeout: slow, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 10,
	}
	if a.CAFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, problem.Usage("cannot read the certificates of registries: "+err.Error(), "--registry-ca", "name a readable file")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, problem.Usage("there is no PEM certificate in the file", a.CAFile, "give --registry-ca a file of PEM certificates")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

func (a Access) patience() time.Duration {
	if a.SlowAfter == 0 {
		return slowAfter
	}
	return a.SlowAfter
}

// errStalled ends the reading of an answer in which nothing has come for a while.
var errStalled = errors.New("the registry stalled in the middle of a response")

// stallGuard ends requests whose answers stall. The transport's own bounds end where the answer's body begins.
type stallGuard struct {
	next     http.RoundTripper
	patience time.Duration
}

// RoundTrip sends a request whose answer's body fails with errStalled when one read of it takes longer than the guard's
// patience.
func (g stallGuard) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	answer, err := g.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	// It is armed while something is read: the time that the reader takes in between is not the registry's.
	timer := time.AfterFunc(g.patience, func() { cancel(errStalled) })
	timer.Stop()
	answer.Body = &guardedBody{ReadCloser: answer.Body, ctx: ctx, end: cancel, timer: timer, patience: g.patience}
	return answer, nil
}

type guardedBody struct {
	io.ReadCloser
	ctx      context.Context
	end      context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

func (b *guardedBody) Read(into []byte) (int, error) {
	b.timer.Reset(b.patience)
	n, err := b.ReadCloser.Read(into)
	b.timer.Stop()
	if cause := context.Cause(b.ctx); err != nil && errors.Is(cause, errStalled) {
		return n, cause
	}
	return n, err
}

func (b *guardedBody) Close() error {
	b.timer.Stop()
	b.end(nil)
	return b.ReadCloser.Close()
}

// Located is an image as a registry has it now.
type Located struct {
	// Reference is as asked. At is where it is read: in the mirror, where there is one.
	Reference string
	At        name.Reference
	// Digest is that of what the reference names, an index or a manifest.
	Digest string
	// Manifest is the manifest of this architecture.
	Manifest name.Digest
	// Pinned is the digest that was pinned, and that the mirror's digest replaces; empty where none was or none is replaced.
	Pinned string
}

// Digest asks for the digest of what a reference names, an index or a manifest.
func (r Reader) Digest(ctx context.Context, reference string) (string, error) {
	_, at, err := r.at(reference)
	if err != nil {
		return "", err
	}
	described, err := remote.Get(at, append([]remote.Option{remote.WithContext(ctx)}, r.registry.options...)...)
	if err != nil {
		return "", refused(ctx, at.String(), err)
	}
	return described.Digest.String(), nil
}

// at maps a reference to the mirror.
func (r Reader) at(reference string) (asked, at name.Reference, err error) {
	asked, err = name.ParseReference(reference)
	if err == nil {
		at, err = r.mirror.Map(asked)
	}
	if err != nil {
		return nil, nil, problem.Usage("malformed image reference: "+err.Error(), "kindconfig/versions.yaml", "correct the hub or the tag")
	}
	return asked, at, nil
}

// Wanted is the digest that a reference has to have, and the pinned one that it replaces: the mirror's digests come
// before the pins. Both may be empty.
func (r Reader) Wanted(reference, pinned string) (wanted, replaced string) {
	if mirrored := r.digests.of(reference); mirrored != "" {
		if pinned != mirrored {
			replaced = pinned
		}
		return mirrored, replaced
	}
	return pinned, ""
}

// Locate asks what a reference stands for on this architecture. pinned is the digest that the reference has to have,
// empty for any.
func (r Reader) Locate(ctx context.Context, reference, pinned string) (Located, error) {
	_, at, err := r.at(reference)
	if err != nil {
		return Located{}, err
	}
	found := Located{Reference: reference, At: at}
	wanted, replaced := r.Wanted(reference, pinned)
	found.Pinned = replaced
	if found.Digest, err = r.Digest(ctx, reference); err != nil {
		return Located{}, err
	}
	if wanted != "" && found.Digest != wanted {
		return Located{}, problem.Usage(fmt.Sprintf("the digest of %s moved: %s is pinned, the registry has %s", at, wanted, found.Digest), "",
			"find out why, then pin the new digest")
	}
	// The manifest is asked for by what was just compared: a tag may move in between.
	manifest, err := r.registry.resolve(ctx, at.Context().Digest(found.Digest).String())
	if err != nil {
		return Located{}, named(err, at.Context().Digest(found.Digest).String(), at.String())
	}
	found.Manifest = manifest
	return found, nil
}

// named has an error speak of the reference that the user knows, not of a digest.
func named(err error, digest, reference string) error {
	var known *problem.Error
	if !errors.As(err, &known) {
		return err
	}
	changed := *known
	changed.What = strings.ReplaceAll(known.What, digest, reference)
	changed.Where = strings.ReplaceAll(known.Where, digest, reference)
	return &changed
}

// mirror is the reference in the mirror, or the empty string where the image is read from its own registry.
func (l Located) mirror() string {
	asked, err := name.ParseReference(l.Reference)
	if err != nil || asked.Name() == l.At.Name() {
		return ""
	}
	return l.At.String()
}

// pinnedDigest is the digest that versions.yaml pins for a published image of Istio, or the empty string.
func (b *Builder) pinnedDigest(reference string) string { return pinnedDigest(b.versions, reference) }

func pinnedDigest(versions *kindconfig.Versions, reference string) string {
	for _, release := range versions.Istio {
		for image, digest := range release.Published.Digests {
			if reference == release.Published.Hub+"/"+image+":"+release.Published.Tag {
				return digest
			}
		}
	}
	return ""
}
