package istioctl

import (
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/spec"
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
			expectAsked(istioctl.Subject().Run(ctx, arguments...), port)
			evidence.API("asked with annotation "+portAnnotation+"="+annotation, "port %s", port)

			By("asking with the release before, which knows one port")
			expectAsked(istioctl.Before().Run(ctx, arguments...), "15014")
		},
		Entry("at the port that its annotation prometheus.io/port gives", spec.ID("istioctl.version-port-annotation"),
			"15999", "15999"),
		Entry("at port 15014 where it has no annotation, wherever it listens", spec.ID("istioctl.version-port-default"),
			"", "15014"),
		Entry("at port 15014 where the annotation is no number", spec.ID("istioctl.version-port-malformed"),
			"metrics", "15014"),
	)
}

// askedPort is where the emulated istiod's answer, quoted in JSON, names the port.
var askedPort = regexp.MustCompile(`ServicePort=(\d+)\\n`)

// expectAsked judges at which port istioctl asked for the version.
func expectAsked(outcome istioctl.Outcome, port string) {
	GinkgoHelper()
	found := askedPort.FindStringSubmatch(outcome.Stdout)
	Expect(found).To(HaveLen(2), "no answer of the emulated istiod: %s", outcome)
	Expect(found[1]).To(Equal(port), "port that %q asked", outcome.Command)
}
