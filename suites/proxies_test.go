package suites

import (
	"context"
	"fmt"

	"mesh-conformance/hack/problem"
	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/proxy"
)

// readProxies asks the Envoys of the subject and of the releases around it what they are, before any control plane is
// installed. What it returns second removes their pod; it is never nil.
func readProxies(ctx context.Context, client *kube.Client, cell *kindconfig.Cell) (
	read kindconfig.Proxies, remove func(context.Context) error, err error,
) {
	remove = func(context.Context) error { return nil }
	var images []string
	var into []*kindconfig.ProxyFacts
	for _, of := range []struct {
		release kindconfig.Release
		facts   *kindconfig.ProxyFacts
	}{{mesh.Subject(cell), &read.Subject}, {cell.Before, &read.Before}, {cell.After, &read.After}} {
		if of.release.Hub != "" && of.release.Tag != "" {
			images = append(images, of.release.Hub+"/proxyv2:"+of.release.Tag)
			into = append(into, of.facts)
		}
	}
	reader, err := proxy.NewReader(ctx, client, images...)
	if reader != nil {
		remove = reader.Remove
	}
	if err != nil {
		return read, remove, problem.Environment("cannot run the proxies to read their extensions", "", "see diagnostics", err)
	}
	found, err := reader.Facts(ctx)
	if err != nil {
		return read, remove, problem.FailedSpecs(fmt.Sprintf("reading the extensions of the proxies: %v", err))
	}
	for i, facts := range found {
		*into[i] = facts
	}
	return read, remove, nil
}
