package images

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"mesh-conformance/hack/problem"
)

// refusal is why a registry does not give an image.
type refusal int

const (
	unanswered refusal = iota
	missing
	denied
	limited
	slow
	untrusted
)

// refusalOf reads a registry client's error.
func refusalOf(err error) refusal {
	var answer *transport.Error
	var timeout net.Error
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return untrusted
	case errors.Is(err, errStalled), errors.As(err, &timeout) && timeout.Timeout():
		return slow
	}
	if !errors.As(err, &answer) {
		return unanswered
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return missing
	case http.StatusUnauthorized, http.StatusForbidden:
		return denied
	case http.StatusTooManyRequests:
		return limited
	}
	return unanswered
}

// refusalIn reads what an engine says that could not pull; its exit code is always the same.
func refusalIn(said string) refusal {
	said = strings.ToLower(said)
	for _, sign := range []struct {
		text string
		is   refusal
	}{
		// An engine says "denied" of a missing repository too, as the registry does.
		{"x509", untrusted}, {"no basic auth credentials", denied}, {"i/o timeout", slow}, {"timeout awaiting", slow},
		{"deadline exceeded", slow}, {"toomanyrequests", limited}, {"denied", denied}, {"unauthorized", denied}, {"authentication required", denied},
		{"manifest unknown", missing}, {"not found", missing}, {"no matching manifest", missing},
	} {
		if strings.Contains(said, sign.text) {
			return sign.is
		}
	}
	return unanswered
}

// problem is the one line about an image that could not be had.
func (r refusal) problem(reference string, cause error) error {
	switch r {
	case missing:
		return problem.Usage("the image registry has no "+reference, "kindconfig/versions.yaml", "pin an image that exists or use --images built")
	case denied:
		return problem.Environment("the image registry denies "+reference, "", "log in with docker login if it exists, or use --images built", cause)
	case limited:
		return problem.Environment("the image registry limits its users", reference, "log in with docker login, run again later or use --images built", cause)
	case slow:
		return problem.Environment("the image registry does not answer in time for "+reference, "", "check the network, run again or use --images built", cause)
	case untrusted:
		return problem.Environment("the certificate of the image registry is not trusted for "+reference, "",
			"name its authority with --registry-ca; the container engine reads it from certs.d", cause)
	}
	return problem.Environment("cannot pull "+reference, "", "check that the image registry can be reached, or use --images built", cause)
}

// registry reads images as the user of this machine's docker would.
type registry struct {
	options []remote.Option
	arch    string
}

func newRegistry(arch string, options ...remote.Option) registry {
	return registry{arch: arch, options: append([]remote.Option{remote.WithAuthFromKeychain(authn.DefaultKeychain)}, options...)}
}

// resolve asks which manifest a reference stands for on this architecture; its layers are not read.
func (r registry) resolve(ctx context.Context, reference string) (name.Digest, error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return name.Digest{}, problem.Usage("malformed image reference: "+err.Error(), "kindconfig/versions.yaml", "correct the hub or the tag")
	}
	image, err := r.image(ctx, parsed)
	if err != nil {
		return name.Digest{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return name.Digest{}, refused(ctx, reference, err)
	}
	if config.Architecture != r.arch {
		return name.Digest{}, r.foreign(reference)
	}
	digest, err := image.Digest()
	if err != nil {
		return name.Digest{}, refused(ctx, reference, err)
	}
	return parsed.Context().Digest(digest.String()), nil
}

// image opens an image, or of an index the image for this architecture.
func (r registry) image(ctx context.Context, reference name.Reference) (v1.Image, error) {
	options := append([]remote.Option{remote.WithContext(ctx), remote.WithPlatform(r.platform())}, r.options...)
	described, err := remote.Get(reference, options...)
	if err != nil {
		return nil, refused(ctx, reference.String(), err)
	}
	image, err := described.Image()
	if err != nil && described.MediaType.IsIndex() && strings.Contains(err.Error(), "no child with platform") {
		return nil, r.foreign(reference.String())
	}
	if err != nil {
		return nil, refused(ctx, reference.String(), err)
	}
	return image, nil
}

func (r registry) platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: r.arch} }

func (r registry) foreign(reference string) error {
	return problem.Usage(fmt.Sprintf("%s is not published for linux/%s", reference, r.arch), "--images", "use --images built")
}

// refused is the one line about a registry's error, unless the user gave up first.
func refused(ctx context.Context, reference string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return refusalOf(err).problem(reference, err)
}
