package openshift

import (
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/spec"
	"mesh-conformance/suites/internal/timing"
)

// discovery is the name of istiod's container.
const discovery = "discovery"

func ofIstiod(*site) {
	It("names no user and no group, and runs as what its namespace assigns", spec.ID("openshift.istiod-assigned-ids"), func(ctx SpecContext) {
		deployment, err := kube.Getter[appsv1.Deployment](mesh.Namespace, "istiod")(ctx)
		Expect(err).NotTo(HaveOccurred())
		evidence.Look(mesh.Namespace, "deployment", "istiod")
		Expect(fixed(deployment.Spec.Template.Spec)).To(BeEmpty(), "fixed ids of istiod")

		pods, err := kube.Shared().Clientset.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "istio=pilot"})
		Expect(err).NotTo(HaveOccurred())
		Expect(pods.Items).To(HaveLen(1), "pods of istiod")
		Expect(fsGroup(pods.Items[0].Spec)).To(Equal(fmt.Sprint(firstGroup)), "fsGroup of istiod")
		running := idsOf(ctx, mesh.Namespace, pods.Items[0].Name, discovery, "pilot-discovery")
		Expect(running.User).To(BeEquivalentTo(firstUser), "user of istiod")
	})

	It("of the release before names fixed ones, and is refused", spec.ID("openshift.istiod-before-refused"), func(ctx SpecContext) {
		deployment, err := kube.Getter[appsv1.Deployment](mesh.Namespace, "istiod-"+revisionBefore)(ctx)
		Expect(err).NotTo(HaveOccurred())
		template := deployment.Spec.Template
		evidence.API("ids that istiod of the release before fixes", "%q", fixed(template.Spec))
		delete(template.Labels, scc)
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = mesh.Namespace, deployment.Name
		err = kube.Shared().Client.Create(ctx, pod, ctrl.DryRunAll)
		Expect(err).To(HaveOccurred(), "the constraint takes a pod of %s", deployment.Name)
		Expect(err).To(MatchError(HaveSuffix("denied the request: restricted-v2: fsGroup %d is not %d; %s", proxyUser, firstGroup, outOfRange(discovery, proxyUser))))
		evidence.API("pod "+pod.Name, "refused: %v", err)
	})
}

// fixed are the ids that a template names, each in words.
func fixed(spec corev1.PodSpec) []string {
	var found []string
	note := func(what string, id *int64) {
		if id != nil {
			found = append(found, what)
		}
	}
	if pod := spec.SecurityContext; pod != nil {
		note("runAsUser", pod.RunAsUser)
		note("runAsGroup", pod.RunAsGroup)
		note("fsGroup", pod.FSGroup)
	}
	for _, container := range spec.Containers {
		if context := container.SecurityContext; context != nil {
			note(container.Name+": runAsUser", context.RunAsUser)
			note(container.Name+": runAsGroup", context.RunAsGroup)
		}
	}
	return found
}

// withoutCNI has the injector take istio-cni as not installed, for the rest of the spec: it is the one change
// that istioctl would make to istiod, which reads it without a restart.
func withoutCNI(ctx SpecContext) {
	GinkgoHelper()
	const name = "istio-sidecar-injector"
	client := kube.Shared().Client
	injector, err := kube.Getter[corev1.ConfigMap](mesh.Namespace, name)(ctx)
	Expect(err).NotTo(HaveOccurred())
	before := injector.Data["values"]
	put := func(ctx SpecContext, values string) {
		GinkgoHelper()
		patch, err := json.Marshal(map[string]any{"data": map[string]string{"values": values}})
		Expect(err).NotTo(HaveOccurred())
		Expect(client.Patch(ctx, injector, ctrl.RawPatch("application/merge-patch+json", patch), ctrl.FieldOwner(kube.FieldOwner))).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { put(ctx, before) }, NodeTimeout(timing.Longest))

	var values map[string]any
	Expect(json.Unmarshal([]byte(before), &values)).To(Succeed())
	Expect(values).To(HaveKeyWithValue("istio_cni", HaveKeyWithValue("enabled", true)), "values of the injector")
	values["istio_cni"].(map[string]any)["enabled"] = false
	changed, err := json.Marshal(values)
	Expect(err).NotTo(HaveOccurred())
	put(ctx, string(changed))
	evidence.Replay("kubectl edit configmap %s -n %s # values: istio_cni.enabled is false", name, mesh.Namespace)
}
