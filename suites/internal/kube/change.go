package kube

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
)

// Change patches an object of the shared cluster, as a user would with kubectl, and records the command.
func Change[T any, P apiObject[T]](ctx context.Context, namespace, name string, alter func(P)) {
	ginkgo.GinkgoHelper()
	client := Shared().Client
	object := P(new(T))
	gomega.Expect(client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)).To(gomega.Succeed())
	before := object.DeepCopyObject().(ctrl.Object)
	alter(object)
	gvk, err := client.GroupVersionKindFor(object)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	patch, kind := ctrl.MergeFrom(before), "merge"
	if clientgoscheme.Scheme.Recognizes(gvk) {
		// Names the one container that changes; a plain merge would repeat the whole list.
		patch, kind = ctrl.StrategicMergeFrom(before), "strategic"
	}
	body, err := patch.Data(object)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Replay("kubectl patch %s %s -n %s --type=%s -p '%s'", gvk.GroupKind(), name, namespace, kind, body)
	gomega.Expect(client.Patch(ctx, object, patch, ctrl.FieldOwner(FieldOwner))).To(gomega.Succeed())
}

// Remove deletes an object of the shared cluster, records the command and returns without waiting for
// the object's end.
func Remove[T any, P apiObject[T]](ctx context.Context, namespace, name string) {
	ginkgo.GinkgoHelper()
	client := Shared().Client
	object := P(new(T))
	object.SetNamespace(namespace)
	object.SetName(name)
	gvk, err := client.GroupVersionKindFor(object)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	evidence.Replay("kubectl delete %s %s -n %s", gvk.GroupKind(), name, namespace)
	gomega.Expect(client.Delete(ctx, object)).To(gomega.Succeed())
}
