package kube

import (
	"context"
	"fmt"
	"path"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/timing"
)

// FieldOwner is the name under which the suite owns the fields it writes.
const FieldOwner = "mesh-conformance"

// Apply applies a fixture file or folder to a namespace of the shared cluster. What it makes
// goes with the namespace; what is in no namespace is deleted in cleanup.
func Apply(ctx context.Context, namespace, fixture string) []*unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	objects, err := fixtures.Objects(fixture)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	renamed := asDeployed(objects)

	client := Shared()
	clusterWide, err := client.ApplyObjects(ctx, namespace, objects)
	for _, object := range clusterWide {
		ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
			gomega.Expect(ctrl.IgnoreNotFound(client.Client.Delete(ctx, object))).To(gomega.Succeed())
			gomega.Expect(client.WaitGone(ctx, object)).To(gomega.Succeed())
		}, ginkgo.NodeTimeout(timing.Longest))
	}
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "apply "+fixture)
	if renamed {
		evidence.Replay("# in the next file, label %s is %s in this build of Istio", session.GatewayNameLabel, session.Known().NameLabel())
	}
	evidence.Replay("%s", applyCommand(namespace, fixture))
	return objects
}

// applyCommand is how a user repeats an Apply.
func applyCommand(namespace, fixture string) string {
	return fmt.Sprintf("kubectl apply --server-side --validate=strict --field-manager=%s -n %s -f %s",
		FieldOwner, namespace, path.Join(fixtures.Root, fixture))
}

// ApplyObjects applies objects server-side, in order; those that live in a namespace and name
// none get the given one. It gives the applied objects that live in no namespace, also beside an
// error. The API server refuses fields that a kind does not know: for applies it always does.
func (c *Client) ApplyObjects(ctx context.Context, namespace string, objects []*unstructured.Unstructured) (clusterWide []*unstructured.Unstructured, err error) {
	for _, object := range objects {
		what := object.GetKind() + " " + object.GetName()
		namespaced, err := c.Client.IsObjectNamespaced(object)
		if err != nil {
			return clusterWide, fmt.Errorf("%s: the cluster does not know the kind: %w", what, err)
		}
		if namespaced && object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		err = c.Client.Apply(ctx, ctrl.ApplyConfigurationFromUnstructured(object), ctrl.FieldOwner(FieldOwner), ctrl.ForceOwnership)
		if err != nil {
			return clusterWide, fmt.Errorf("%s: %w", what, err)
		}
		if !namespaced {
			clusterWide = append(clusterWide, object)
		}
	}
	return clusterWide, nil
}
