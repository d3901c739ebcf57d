package startupprobe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"mesh-conformance/fixtures"
	"mesh-conformance/suites/controlplane"
	"mesh-conformance/suites/internal/catalogue"
	"mesh-conformance/suites/internal/evidence"
	"mesh-conformance/suites/internal/istioctl"
	"mesh-conformance/suites/internal/kube"
	"mesh-conformance/suites/internal/mesh"
	"mesh-conformance/suites/internal/session"
	"mesh-conformance/suites/internal/spec"
)

// plain is a pod without any say in its probes.
const plain = "startupprobe/plain.yaml"

// Values of the chart: what the upgrade notes name for probes as they were in older releases.
var valuesBefore = []string{
	"startupProbe.enabled=false", "readinessInitialDelaySeconds=1", "readinessPeriodSeconds=2", "readinessFailureThreshold=30",
}

// injectedBy injects by hand: into a fixture's pod, with the configuration that an installation of the data plane
// with these values has. Rendering and injection are istioctl's own work, with the injector that istiod has, so
// that no control plane is needed per value.
func injectedBy(ctx context.Context, tool istioctl.Binary, fixture string, values ...string) *corev1.Pod {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	keep := func(name, content string) {
		Expect(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600)).To(Succeed())
	}
	plane := mesh.Dataplane()
	cell := session.Job().Cell
	// Without the builder's values, which may be about probes.
	operator, err := controlplane.Compose(plane.Operator, nil, &cell, plane.Proxies)
	Expect(err).NotTo(HaveOccurred())
	keep("operator.yaml", string(operator))
	arguments := []string{"manifest", "generate", "--filename", "operator.yaml", "--set", "hub=" + cell.Hub, "--set", "tag=" + cell.Tag}
	for _, value := range values {
		arguments = append(arguments, "--set", "values.global.proxy."+value)
	}
	evidence.Replay("# operator.yaml is istio-%s.yaml of the run's folder, without the builder's values", plane.Name)
	rendered := tool.In(folder).Offline(ctx, os.DevNull, arguments...)
	Expect(rendered).To(istioctl.Exit(0))

	files, err := injection([]byte(rendered.Stdout))
	Expect(err).NotTo(HaveOccurred())
	objects, err := fixtures.Objects(fixture)
	Expect(err).NotTo(HaveOccurred())
	Expect(objects).To(HaveLen(1), "objects of %s", fixture)
	pod, err := yaml.Marshal(objects[0].Object)
	Expect(err).NotTo(HaveOccurred())
	files["pod.yaml"] = string(pod)
	for name, content := range files {
		keep(name, content)
	}
	evidence.Replay("# config and values are of the manifest's ConfigMap istio-sidecar-injector, mesh of its ConfigMap istio, pod.yaml is %s/%s", fixtures.Root, fixture)
	made := tool.In(folder).Offline(ctx, os.DevNull, "kube-inject",
		"--injectConfigFile", "config", "--valuesFile", "values", "--meshConfigFile", "mesh", "--filename", "pod.yaml")
	Expect(made).To(istioctl.Exit(0))
	var injected corev1.Pod
	Expect(yaml.Unmarshal([]byte(made.Stdout), &injected)).To(Succeed())
	return &injected
}

// injection finds in a rendered manifest what the injector is configured with.
func injection(manifest []byte) (map[string]string, error) {
	objects, err := kube.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	held := map[string]string{}
	for _, want := range []struct{ configMap, key string }{
		{"istio-sidecar-injector", "config"}, {"istio-sidecar-injector", "values"}, {"istio", "mesh"},
	} {
		content, err := ofConfigMap(objects, want.configMap, want.key)
		if err != nil {
			return nil, err
		}
		held[want.key] = content
	}
	return held, nil
}

func ofConfigMap(objects []*unstructured.Unstructured, name, key string) (string, error) {
	for _, object := range objects {
		if object.GetKind() != "ConfigMap" || object.GetName() != name {
			continue
		}
		var found corev1.ConfigMap
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &found); err != nil {
			return "", err
		}
		if found.Data[key] != "" {
			return found.Data[key], nil
		}
	}
	return "", fmt.Errorf("the manifest has no ConfigMap %s with %s", name, key)
}

// compare records and judges the probes of an injected pod's proxy.
func compare(pod *corev1.Pod, want ...string) {
	GinkgoHelper()
	probes, err := probesOf(pod.Spec)
	Expect(err).NotTo(HaveOccurred())
	evidence.API("probes of the proxy", "%s", or(probes, "none"))
	Expect(probes).To(have(want...), "probes of the proxy")
}

var _ = Describe("A sidecar", Label(catalogue.StartupProbe), func() {
	DescribeTable("has, by the values of the installation,",
		func(ctx SpecContext, values []string, want ...string) {
			compare(injectedBy(ctx, istioctl.Subject(), plain, values...), want...)
		},
		Entry("a startup probe where they say nothing", spec.ID("startupprobe.values-default"),
			nil, startup, readiness),
		Entry("no startup probe with startupProbe.enabled=false", spec.ID("startupprobe.values-disabled"),
			[]string{"startupProbe.enabled=false"}, readiness),
		Entry("the probes of older releases with the values that the upgrade notes name for that", spec.ID("startupprobe.values-older-probes"),
			valuesBefore, readinessBefore),
		Entry("another threshold with startupProbe.failureThreshold=20", spec.ID("startupprobe.values-threshold"),
			[]string{"startupProbe.failureThreshold=20"},
			"startup GET :15021/healthz/ready after 0s, every 1s, 3s each, fails at 20", readiness),
	)

	It("has no startup probe in the release before", spec.ID("startupprobe.none-before"), Label(catalogue.Smoke), func(ctx SpecContext) {
		evidence.API("istioctl", "%s", istioctl.Before().Version)
		compare(injectedBy(ctx, istioctl.Before(), plain), readinessBefore)
	})
})
