package images

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"mesh-conformance/kindconfig"
)

// ChoiceAuto asks the subject's image registry once and falls back to building.
const ChoiceAuto = "auto"

// askTimeout bounds the one question to the registry.
const askTimeout = 3 * time.Second

// Decide says where the subject and Kubernetes come from, and why, in words for the user.
func Decide(ctx context.Context, choice string, istio kindconfig.Istio, access Access) (source, why string) {
	return decide(choice, istio, func(reference string) error { return ask(ctx, reference, access) })
}

func decide(choice string, istio kindconfig.Istio, ask func(string) error) (source, why string) {
	if choice != ChoiceAuto {
		return choice, "as asked"
	}
	reference := fmt.Sprintf("%s/pilot:%s", istio.Published.Hub, istio.Published.Tag)
	if istio.Published.Hub == "" {
		return SourceBuilt, "no published images are pinned"
	}
	if err := ask(reference); err != nil {
		switch refusalOf(err) {
		case missing:
			return SourceBuilt, "the image registry has no " + reference
		case denied, limited:
			return SourceBuilt, "the image registry refuses " + reference
		}
		return SourceBuilt, "no image registry answered for " + reference
	}
	return SourcePublished, reference + " can be had"
}

// ask makes one request without a retry.
func ask(ctx context.Context, reference string, access Access) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	reader, err := NewReader(runtime.GOARCH, access)
	if err != nil {
		return err
	}
	_, at, err := reader.at(reference)
	if err != nil {
		return err
	}
	_, err = remote.Head(at, append([]remote.Option{remote.WithContext(ctx), remote.WithRetryBackoff(remote.Backoff{Steps: 1})}, reader.registry.options...)...)
	return err
}
