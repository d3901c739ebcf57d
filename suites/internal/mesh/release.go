package mesh

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/deadline"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/timing"
)

// Subject is the release that a cell qualifies.
func Subject(cell *kindconfig.Cell) kindconfig.Release {
	return kindconfig.Release{Istio: cell.Istio, Hub: cell.Hub, Tag: cell.Tag, Istioctl: cell.Istioctl}
}

// Of is the same installer for another release, by that release's own istioctl.
func (i *Installer) Of(release kindconfig.Release) *Installer {
	cell, other := *i.Cell, *i
	if release.Istioctl != cell.Istioctl {
		cell.Charts, cell.ChartsApart = "", false
	}
	cell.Istio, cell.Hub, cell.Tag, cell.Istioctl = release.Istio, release.Hub, release.Tag, release.Istioctl
	other.Cell, other.other, other.istioctlOnly = &cell, release != Subject(i.Cell), true
	return &other
}

// Istioctl runs the release's istioctl on the cluster, for at most timing.Rollout, and returns what it wrote to its standard
// output.
func (i *Installer) Istioctl(ctx context.Context, arguments ...string) (string, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timing.Rollout())
	defer cancel()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, i.Cell.Istioctl, append(arguments, "--kubeconfig", i.Client.Kubeconfig)...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	_, _ = fmt.Fprintf(i.Log, "istioctl %s %q: %d bytes\n%s", i.Cell.Istio, arguments, out.Len(), complaints.String())
	last := complaint(complaints.String() + out.String())
	if err != nil && ctx.Err() != nil {
		return "", deadline.Missed(fmt.Sprintf("istioctl %s %q did not end", i.Cell.Istio, arguments), begun, "its last line: "+last, context.Cause(ctx))
	}
	if err != nil {
		return "", fmt.Errorf("istioctl %s %q: %w: %s", i.Cell.Istio, arguments, err, last)
	}
	return out.String(), nil
}

// CRDs are the release's own CustomResourceDefinitions, as its installer has them.
func (i *Installer) CRDs(ctx context.Context) ([]*unstructured.Unstructured, error) {
	arguments := []string{"manifest", "generate", "--set", "profile=empty", "--set", "components.base.enabled=true"}
	manifest, err := i.Istioctl(ctx, append(arguments, manifests(i.Cell)...)...)
	if err != nil {
		return nil, err
	}
	return definitions(manifest)
}

func definitions(manifest string) ([]*unstructured.Unstructured, error) {
	objects, err := kube.ParseManifest([]byte(manifest))
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" {
			found = append(found, object)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("none of the manifest's %d objects is a CustomResourceDefinition", len(objects))
	}
	return found, nil
}
