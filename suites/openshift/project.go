package openshift

import (
	"context"
	"fmt"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
)

// scc is the label that says what constraint the stand-in puts on the pods of a namespace, or not on a pod, and
// restricted what a namespace has under it, written key=value.
const (
	scc        = "mesh-conformance/scc"
	restricted = scc + "=restricted-v2"
)

// What OpenShift writes on every namespace that it makes.
const (
	annotationUsers  = "openshift.io/sa.scc.uid-range"
	annotationGroups = "openshift.io/sa.scc.supplemental-groups"
)

// allotted are the annotations of the namespaces where pods run. Users and groups differ, so that one cannot
// pass for the other.
var allotted = map[string]string{annotationUsers: "1000650000/10000", annotationGroups: "1000680000/10000"}

// The ids that follow from them: a proxy has the last of each range, and who names none gets the first.
const (
	firstUser, lastUser   = 1000650000, 1000659999
	firstGroup, lastGroup = 1000680000, 1000689999
)

// proxyUser is what Istio's proxies are where nothing else is said, user and group alike.
const proxyUser = 1337

// newProject makes a namespace as OpenShift would, with the annotations.
func newProject(ctx context.Context, prefix string, labels ...string) string {
	GinkgoHelper()
	namespace := kube.NewNamespace(ctx, prefix, labels...)
	annotate(ctx, namespace, allotted)
	kube.AwaitAccount(ctx, namespace)
	return namespace
}

// annotate gives a namespace those of OpenShift's annotations that are there, and takes the others away.
func annotate(ctx context.Context, namespace string, annotations map[string]string) {
	GinkgoHelper()
	client := kube.Shared().Client
	found := &corev1.Namespace{}
	Expect(client.Get(ctx, ctrl.ObjectKey{Name: namespace}, found)).To(Succeed())
	before := found.DeepCopy()
	if found.Annotations == nil {
		found.Annotations = map[string]string{}
	}
	command := "kubectl annotate namespace " + namespace + " --overwrite"
	for _, name := range []string{annotationUsers, annotationGroups} {
		if value, given := annotations[name]; given {
			found.Annotations[name] = value
			command += fmt.Sprintf(" %s='%s'", name, value)
		} else {
			delete(found.Annotations, name)
			command += " " + name + "-"
		}
	}
	Expect(client.Patch(ctx, found, ctrl.MergeFrom(before), ctrl.FieldOwner(kube.FieldOwner))).To(Succeed())
	evidence.Replay("%s", command)
}

// restrict makes the namespace of the control planes before the installer does, as one that the stand-in
// looks at.
func restrict(ctx context.Context, namespace string) {
	GinkgoHelper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{scc: "restricted-v2"}, Annotations: maps.Clone(allotted),
	}}
	Expect(kube.Shared().Client.Create(ctx, object)).To(Succeed())
	evidence.Replay("kubectl create namespace %s && kubectl label namespace %[1]s %s", namespace, restricted)
	for _, name := range slices.Sorted(maps.Keys(allotted)) {
		evidence.Replay("kubectl annotate namespace %s %s=%s", namespace, name, allotted[name])
	}
}
