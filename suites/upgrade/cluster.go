package upgrade

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"mesh-conformance/suites/internal/echo"
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

// nodePort is how this machine reaches port 80 of a Service: no load balancer is needed for it.
func nodePort(ctx context.Context, namespace, name string) (visitor echo.Visitor, url string) {
	GinkgoHelper()
	service, err := kube.Getter[corev1.Service](namespace, name)(ctx)
	Expect(err).NotTo(HaveOccurred())
	nodes, err := kube.Shared().Clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	visitor.Address, url, err = reach(service, nodes.Items)
	Expect(err).NotTo(HaveOccurred())
	return visitor, url
}

func reach(service *corev1.Service, nodes []corev1.Node) (address, url string, err error) {
	for _, port := range service.Spec.Ports {
		if port.Port == 80 && port.NodePort != 0 {
			url = fmt.Sprintf("http://server:%d/", port.NodePort)
		}
	}
	if url == "" {
		return "", "", fmt.Errorf("service %s has no port of the node for its port 80", service.Name)
	}
	for _, node := range nodes {
		for _, found := range node.Status.Addresses {
			if found.Type == corev1.NodeInternalIP {
				return found.Address, url, nil
			}
		}
	}
	return "", "", fmt.Errorf("none of %d nodes has an address", len(nodes))
}
