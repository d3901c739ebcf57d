package upgrade

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
)

// imageOf is the image that a control plane's istiod runs.
func imageOf(ctx context.Context, plane mesh.ControlPlane) string {
	GinkgoHelper()
	deployment, err := kube.Getter[appsv1.Deployment](mesh.Namespace, plane.Deployment())(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(deployment.Spec.Template.Spec.Containers).NotTo(BeEmpty())
	return deployment.Spec.Template.Spec.Containers[0].Image
}

// declares says whether a CRD has a field of the spec in every version.
func declares(ctx context.Context, crd, field string) bool {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	Expect(kube.Shared().Client.Get(ctx, types.NamespacedName{Name: crd}, definition)).To(Succeed())
	declared, err := declaredIn(definition, field)
	Expect(err).NotTo(HaveOccurred())
	return declared
}

// declaredAmong says whether the CRD of a name, among those of a release, has a field of the spec in every version.
func declaredAmong(definitions []*unstructured.Unstructured, crd, field string) (bool, error) {
	for _, definition := range definitions {
		if definition.GetName() == crd {
			return declaredIn(definition, field)
		}
	}
	return false, fmt.Errorf("the release has no CRD %s", crd)
}

func declaredIn(definition *unstructured.Unstructured, field string) (bool, error) {
	versions, _, err := unstructured.NestedSlice(definition.Object, "spec", "versions")
	if err != nil || len(versions) == 0 {
		return false, fmt.Errorf("CRD %s has no versions: %v", definition.GetName(), err)
	}
	for _, version := range versions {
		content, ok := version.(map[string]any)
		if !ok {
			return false, fmt.Errorf("CRD %s: a version is a %T", definition.GetName(), version)
		}
		_, found, err := unstructured.NestedMap(content, "schema", "openAPIV3Schema", "properties", "spec", "properties", field)
		if err != nil || !found {
			return false, err
		}
	}
	return true, nil
}
