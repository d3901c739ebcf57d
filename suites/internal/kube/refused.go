package kube

import (
	"context"
	"fmt"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/internal/evidence"
)

// Refused applies a fixture of one object that the API server, or a webhook that it asks, has to
// refuse. It gives the words of the refusal, for a matcher to judge, and fails the spec where the object
// was taken or is there all the same.
func Refused(ctx context.Context, namespace, fixture string) string {
	ginkgo.GinkgoHelper()
	objects, err := fixtures.Objects(fixture)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gomega.Expect(objects).To(gomega.HaveLen(1), "objects of the fixture %s, which is to be refused", fixture)
	asDeployed(objects)
	object := objects[0]
	what := object.GetKind() + " " + object.GetName()

	client := Shared()
	evidence.Replay("%s", applyCommand(namespace, fixture))
	_, err = client.ApplyObjects(ctx, namespace, objects)
	if err == nil {
		// Fixtures share a name: what was taken must not stand in the way of the refusals after it.
		ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
			gomega.Expect(client.Client.Delete(ctx, object)).To(gomega.Succeed())
		})
	}
	gomega.Expect(err).To(gomega.HaveOccurred(), "the cluster took the %s of %s, which it has to refuse", what, fixture)
	evidence.API(what+" of "+fixture, "refused: %v", err)

	left := &unstructured.Unstructured{}
	left.SetGroupVersionKind(object.GroupVersionKind())
	key := ctrl.ObjectKey{Namespace: namespace, Name: object.GetName()}
	gomega.Expect(ctrl.IgnoreNotFound(client.Client.Get(ctx, key, left))).To(gomega.Succeed())
	gomega.Expect(left.GetName()).To(gomega.BeEmpty(), fmt.Sprintf("the refused %s is in the cluster", what))
	return err.Error()
}
