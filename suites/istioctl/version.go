package istioctl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
)

// portAnnotation is where istioctl looks for an istiod's monitoring port.
const portAnnotation = "prometheus.io/port"

// versions are the specs on how istioctl finds the monitoring port. The istiod is emulated: a real one that
// listens elsewhere than it says would be of no use to anybody else. Its answer to the question for its version
// names the port.
func versions(bed *proxies) {
	DescribeTable("asks an istiod (emulated) for its version",
		func(ctx SpecContext, annotation, port string) {
			pod := bed.workloads["istiod"].Pod
			kube.Change(ctx, bed.namespace, pod.Name, func(pod *corev1.Pod) {
				delete(pod.Annotations, portAnnotation)
				if annotation != "" {
					if pod.Annotations == nil {
						pod.Annotations = map[string]string{}
					}
					pod.Annotations[portAnnotation] = annotation
				}
			})
			arguments := []string{"version", "--istioNamespace=" + bed.namespace, "--revision=shaped", "--output=json"}
			Expect(istioctl.Subject().Run(ctx, arguments...)).To(istioctl.Say(`ServicePort=` + port + `\n`))
			evidence.API("asked with annotation "+portAnnotation+"="+annotation, "port %s", port)

			By("asking with the release before, which knows one port")
			Expect(istioctl.Before().Run(ctx, arguments...)).To(istioctl.Say(`ServicePort=15014\n`))
		},
		Entry("at the port that its annotation prometheus.io/port gives", "15999", "15999"),
		Entry("at port 15014 where it has no annotation, wherever it listens", "", "15014"),
		Entry("at port 15014 where the annotation is no number", "metrics", "15014"),
	)
}
